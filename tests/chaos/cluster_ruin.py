"""What befalls the cluster size alone: its store, its bus's leader, its leases, its clocks, its replicas."""

import os
import signal
import time

from barid.control import ask

from .ruin import BETWEEN, Blow, Scene, kind_of, wait_restarted
from .sizes import LEASE_SECONDS, PUT_SECONDS

OUTAGES = (PUT_SECONDS / 3, PUT_SECONDS * 1.3)
"""Seconds that the store fails: PUTs are tried until it is back; they are given up, and their mail is refused."""

FORGOTTEN = 5
"""Packs that the store loses at once."""

SLEEP = LEASE_SECONDS + 5.0
"""Seconds: its lease has run out, and another had time to take it."""

STEP = 7_200.0
"""Seconds that a clock is wrong: more than a time service corrects by steps, and than an hour of the bucket."""

ANSWER_SECONDS = 60.0
"""Until the roll call names whom we look for: after a blow, some do not answer it in time."""

SCALED = ("smtp_ingress", "mda", "mss", "relay")
DRAIN = 60.0


def the_store_answers_500(scene: Scene) -> None:
    _the_store_fails(scene, 500)


def the_store_hangs(scene: Scene) -> None:
    """Some requests are not done, some are done and answered late, some done and never answered."""
    for fault in scene.rng.sample(("hang", "late", "drop"), 3):
        _the_store_fails(scene, fault, share=0.5)


def _the_store_fails(scene: Scene, fault: int | str, share: float = 1.0) -> None:
    scene.load.until(more=BETWEEN)
    seconds = scene.rng.choice(OUTAGES) if share == 1.0 else OUTAGES[0]
    scene.cluster.store.fails(fault, share, scene.rng)
    try:
        time.sleep(seconds)
    finally:
        scene.cluster.store.works()
    scene.load.until(more=BETWEEN)


def the_store_forgets(scene: Scene) -> None:
    """What it acknowledged last is gone: the copies of those who sent it bring it back."""
    scene.load.until(more=BETWEEN)
    assert scene.cluster.store.forget_last(FORGOTTEN), "nothing was in the bucket"


def the_leader_of_the_bus(scene: Scene) -> None:
    scene.load.until(more=BETWEEN)
    name = _leader(scene)
    wait_restarted(scene, name, scene.kill(name))
    scene.load.until(more=BETWEEN)


def _leader(scene: Scene) -> str:
    """As one of the processes. While they choose one, there is none."""
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        servers = scene.system.api.get("/v1/cluster")["bus"]["servers"]
        for server in servers:
            if server["state"] == "leader":
                number = server["name"].rpartition("-")[2]
                return "nats-server" if number == "1" else f"nats-server-{number}"
        assert time.monotonic() < end, f"the bus has no leader: {servers}"
        time.sleep(0.2)


def holders_sleep(scene: Scene) -> None:
    """Whoever holds a lease stands still until another has taken it, and then goes on as if no time had passed."""
    scene.load.until(more=BETWEEN)
    for service in ("relay", "mailstore"):
        _sleep(scene, scene.rng.choice(_holders(scene, service)))


def _holders(scene: Scene, service: str) -> list[str]:
    """Processes of it that hold a lease."""
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        by_pid = {pid: name for name, pid in scene.system.pids().items()}
        leases = scene.system.api.get("/v1/cluster")["leases"]
        pids = [int(lease["replica"].rpartition("/")[2]) for lease in leases if lease["replica"] is not None]
        found = sorted({by_pid[pid] for pid in pids if kind_of(by_pid.get(pid, "")) == service})
        if found:
            return found
        assert time.monotonic() < end, f"no {service} holds anything: {leases}"
        time.sleep(0.2)


def _sleep(scene: Scene, name: str) -> None:
    scene.deaths += kind_of(name) == "relay"  # what it had sent and not written down, another sends
    pid = scene.system.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(SLEEP)
    finally:
        os.kill(pid, signal.SIGCONT)
    scene.load.until(more=BETWEEN)


def clocks_jump(scene: Scene) -> None:
    """Of half of the processes, ahead and back; and all are put right."""
    scene.load.until(more=BETWEEN)
    pids = scene.system.pids()
    ours = sorted(name for name in pids if kind_of(name) in ("directory", "mailstore", "mda", "mss", *SCALED))
    chosen = scene.rng.sample(ours, len(ours) // 2)
    for number, name in enumerate(chosen):
        scene.cluster.clocks.shift(pids[name], STEP if number % 2 else -STEP)
    scene.load.until(more=2 * BETWEEN)
    scene.cluster.clocks.put_right()
    scene.load.until(more=BETWEEN)


def replicas_come_and_go(scene: Scene) -> None:
    """One, two, three, and back; some are killed meanwhile."""
    for count in (3, 1, 2):
        scene.load.until(more=BETWEEN)
        _scale(scene, count)
        if count > 1:
            for service in scene.rng.sample(SCALED, 2):
                name = f"{service}-{count}"
                wait_restarted(scene, name, scene.kill(name))
    scene.load.until(more=BETWEEN)


def _scale(scene: Scene, count: int) -> None:
    answer = ask(scene.system.data, {"scale": dict.fromkeys(SCALED, count)}, DRAIN)
    assert answer == {"replicas": dict.fromkeys(SCALED, count)}, answer


CLUSTER: tuple[Blow, ...] = (
    the_store_answers_500,
    the_store_hangs,
    the_store_forgets,
    the_leader_of_the_bus,
    holders_sleep,
    clocks_jump,
    replicas_come_and_go,
)
"""It heals by itself, with nobody starting it again."""
