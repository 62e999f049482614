"""Processes die while mail comes in by every door. What was acknowledged stands where it belongs, once, as it was sent.

books.py says what is owed; estate.py reads what stands without asking; ruin.py is what happens; quiet.py waits.
"""

import random
import time
from collections.abc import Iterable

from barid_testing.mail_system import MailSystem

from .books import check
from .cluster import Cluster
from .load import Load
from .quiet import become_quiet, leave_nothing_behind, surprises
from .ruin import Blow, Scene
from .sink import Sink
from .sizes import Size
from .town import settle


def test_a_day_of_blows(
    system: MailSystem,
    sink: Sink,
    size: Size,
    cluster: Cluster | None,
    seed: int,
    thorough: bool,
    single: tuple[Blow, ...],
    whole: tuple[Blow, ...],
) -> None:
    rng = random.Random(seed)
    estate = size.estate(system.data)
    town = settle(system)
    load = Load(system, town, seed).start()
    scene = Scene(system, load, rng, seed, thorough, parts=cluster)
    began = time.monotonic()
    endure(scene, rng.sample(single, len(single)))
    load.rest()
    # By itself: a system that must be started again to remember its mail has lost it.
    become_quiet(system, estate, size)
    load.go_on()
    endure(scene, rng.sample(whole, len(whole)))
    load.stop()
    become_quiet(system, estate, size)
    check(system, town, load, sink, scene.deaths, size.quiet_within)
    print(f"{size}, seed {seed}: {load.accepted} acknowledged in {time.monotonic() - began:.0f} s")
    leave_nothing_behind(system, estate, size)
    check(system, town, load, sink, scene.deaths, size.quiet_within)
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
