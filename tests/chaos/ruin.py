"""What befalls a system while it carries mail. Each is a function of a `Scene`; the load goes on meanwhile."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from barid_testing.mail_system import MailSystem

from .cluster import Cluster
from .load import Load
from .processes import is_alive

SUPERVISOR = "barid"
"""What becomes of the others without it is a blow of its own."""

BETWEEN = 60
"""Mails accepted before each blow: every process is in the middle of something."""

STANDSTILL = 10.0
"""Seconds that a process stands still: beyond the deadlines of those who ask it."""

MOMENT = 0.4
"""Most seconds into a recovery, or a drain, that the next blow falls."""


RESTARTED_WITHIN = 60.0
"""Seconds. A service is forked in milliseconds; PostgreSQL reads its log, a machine may be busy."""


@dataclass
class Scene:
    """seed: that of `rng`; rounds that follow each other have seeds that do, so that each victim has its turn.
    thorough: every replica has its turn, not one of each service. deaths: of the relay, each of which may have left
    copies taken and not written down."""

    system: MailSystem
    load: Load
    rng: random.Random
    seed: int
    thorough: bool = True
    deaths: int = 0
    parts: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        """In that size alone."""
        assert self.parts is not None
        return self.parts

    @property
    def victims(self) -> list[str]:
        """Names of all processes but the supervisor's, always in the same order."""
        return sorted(self.system.pids().keys() - {SUPERVISOR})

    @property
    def one_of_each(self) -> list[str]:
        """Of replicas one, by chance."""
        kinds: dict[str, list[str]] = {}
        for name in self.victims:
            kinds.setdefault(kind_of(name), []).append(name)
        return [self.rng.choice(names) for names in kinds.values()]

    def kill(self, name: str) -> int:
        self.deaths += kind_of(name) in ("relay", "forkserver")
        return self.system.kill(name)

    def kill_all(self) -> None:
        self.deaths += 1
        self.system.kill_all()

    def moment(self) -> None:
        time.sleep(self.rng.random() * MOMENT)


Blow = Callable[[Scene], None]


def each_in_turn(scene: Scene) -> None:
    victims = scene.victims if scene.thorough else scene.one_of_each
    for name in scene.rng.sample(victims, len(victims)):
        scene.load.until(more=BETWEEN)
        wait_restarted(scene, name, scene.kill(name))


def one_twice_in_quick_succession(scene: Scene) -> None:
    """Killed again while it recovers."""
    name = scene.victims[scene.seed % len(scene.victims)]
    scene.load.until(more=BETWEEN)
    for _ in range(2):
        wait_restarted(scene, name, scene.kill(name))
        scene.moment()


def one_stands_still(scene: Scene) -> None:
    """It answers nobody, and then goes on as if no time had passed."""
    names = [*scene.victims, SUPERVISOR]
    name = names[scene.seed % len(names)]
    scene.load.until(more=BETWEEN)
    pid = scene.system.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(STANDSTILL)
    finally:
        os.kill(pid, signal.SIGCONT)
    scene.load.until(more=BETWEEN)


def all_at_one_instant(scene: Scene) -> None:
    scene.load.until(more=BETWEEN)
    scene.moment()
    scene.kill_all()
    scene.system.start()


def all_again_while_they_start(scene: Scene) -> None:
    scene.load.until(more=BETWEEN)
    scene.kill_all()
    scene.system.start()
    scene.moment()
    scene.kill_all()
    scene.system.start()


def a_bus_wiped(scene: Scene) -> None:
    """What stood only on the bus is found owed in the journal, and published again."""
    scene.load.until(more=BETWEEN)
    scene.kill_all()
    shutil.rmtree(scene.system.data / "nats")
    scene.system.start()


def all_in_the_middle_of_a_drain(scene: Scene) -> None:
    """Asked to end in order, and killed before they have."""
    scene.load.until(more=BETWEEN)
    os.kill(scene.system.pids()["barid"], signal.SIGTERM)
    scene.moment()
    scene.kill_all()
    scene.system.start()


def the_supervisor_alone(scene: Scene) -> None:
    """Its processes end with it: a new start finds the data free."""
    scene.load.until(more=BETWEEN)
    pids = scene.system.pids()
    scene.deaths += 1
    scene.system.kill("barid")
    end = time.monotonic() + 5
    while left := [name for name, pid in pids.items() if is_alive(pid)]:
        assert time.monotonic() < end, f"alive without their supervisor: {left}"
        time.sleep(0.01)
    scene.system.start()


def a_stop_in_order(scene: Scene) -> None:
    scene.load.until(more=BETWEEN)
    scene.deaths += 1  # a drain may leave a dialogue that would outlast it
    scene.system.stop()
    scene.system.start()


SINGLE: tuple[Blow, ...] = (each_in_turn, one_twice_in_quick_succession, one_stands_still)
"""The system heals by itself, with nobody starting it again."""

WHOLE: tuple[Blow, ...] = (
    all_at_one_instant,
    all_again_while_they_start,
    a_bus_wiped,
    all_in_the_middle_of_a_drain,
    the_supervisor_alone,
    a_stop_in_order,
)


def wait_restarted(scene: Scene, name: str, pid: int) -> None:
    scene.system.wait_restarted(name, pid, RESTARTED_WITHIN)


def kind_of(name: str) -> str:
    """The service, or what else it is, of a process's name: `mda` of `mda-2`."""
    kind, _, number = name.rpartition("-")
    return kind if number.isdecimal() else name
