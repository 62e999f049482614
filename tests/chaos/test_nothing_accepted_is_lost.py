"""Processes die while mail comes in by every door. What was acknowledged stands where it belongs, once, as it was sent.

books.py says what is owed; estate.py reads the disk; ruin.py is what happens.
"""

import random
import time
from collections.abc import Iterable

from barid_testing.mail_system import MailSystem

from . import estate
from .books import check
from .load import Load
from .ruin import Blow, Scene
from .sink import Sink
from .town import settle

QUIET_WITHIN = 45.0
"""Seconds: a bus that held messages for a process that was killed gives them to another after 5, a lease ends at the
relay's next start, the reconciler looks every second."""


def test_a_day_of_blows(
    system: MailSystem, sink: Sink, seed: int, single: tuple[Blow, ...], whole: tuple[Blow, ...]
) -> None:
    rng = random.Random(seed)
    town = settle(system)
    load = Load(system, town, seed).start()
    scene = Scene(system, load, rng, seed)
    began = time.monotonic()
    endure(scene, rng.sample(single, len(single)))
    load.rest()
    become_quiet(system)  # by itself: a system that must be started again to remember its mail has lost it
    load.go_on()
    endure(scene, rng.sample(whole, len(whole)))
    load.stop()
    become_quiet(system)
    check(system, town, load, sink, scene.deaths)
    print(f"seed {seed}: {load.accepted} acknowledged in {time.monotonic() - began:.0f} s")
    leave_nothing_behind(system)
    check(system, town, load, sink, scene.deaths)
    assert surprises(system) == []


def endure(scene: Scene, blows: Iterable[Blow]) -> None:
    for blow in blows:
        began = time.monotonic()
        try:
            blow(scene)
        except BaseException as error:
            error.add_note(f"while: {blow.__name__}")
            raise
        print(f"{blow.__name__}: {time.monotonic() - began:.1f} s, {scene.load.accepted} acknowledged so far")


def become_quiet(system: MailSystem) -> None:
    """Nothing is owed, nothing waits in a queue, nothing is held."""
    end = time.monotonic() + QUIET_WITHIN
    while (owed := estate.owed(system.data)) or (rows := estate.unfinished(system.data)):
        if time.monotonic() > end:
            waiting = rows if not owed else {"owed": sorted(owed)[:10], **estate.unfinished(system.data)}
            raise AssertionError(f"still at work after {QUIET_WITHIN:.0f} s: {waiting}\n{system.log()}")
        time.sleep(0.1)


def surprises(system: MailSystem) -> list[str]:
    """What the log has of exceptions that nobody foresaw. Redelivery makes them good, so the books don't show them."""
    return [line[:2000] for line in system.log_file.read_text().splitlines() if "Traceback" in line][:5]


def leave_nothing_behind(system: MailSystem) -> None:
    """Stopped in order and started again, every pack of before is closed and no message is half on its way in."""
    system.stop()
    assert estate.spooled(system.data) == []
    assert estate.unfinished(system.data) == {}
    system.start()
    end = time.monotonic() + QUIET_WITHIN
    while left := estate.not_closed(system.data):
        assert time.monotonic() < end, f"not closed: {left}\n{system.log()}"
        time.sleep(0.1)
