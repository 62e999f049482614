"""Rounds of killing: as many as BARID_SOAK_ROUNDS says, each with all that can befall a system, in both sizes. Without
it two in the embedded size, which share that between them, and a short one in the cluster size. Each has a seed, which
a failure names: BARID_SOAK_SEED=… repeats its choices. BARID_SOAK_SIZE=cluster has rounds of that size
alone, BARID_SOAK_BLOWS=name,name has these blows alone, BARID_SOAK_LOGS=folder keeps the log of each round."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid_testing import running
from barid_testing.mail_system import MailSystem

from . import cluster_ruin, ruin, sizes
from .clocks import Clocks
from .cluster import Cluster
from .sink import Sink
from .sizes import Size
from .store import FailingStore
from .town import SINK

SHORT = 1
"""Blows of a short round that the seed chooses: all of them would take minutes."""

START_SECONDS = 180.0
"""Five servers and thirteen processes: eight on a quiet machine, a minute on one with ten times its load."""

ROUNDS = int(os.environ.get("BARID_SOAK_ROUNDS", "0"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" not in metafunc.fixturenames:
        return
    given = os.environ.get("BARID_SOAK_SEED")
    # Processes that share the tests (pytest-xdist) must name them alike, so all draw from the name of their run; and a
    # second try of what failed must be the same rounds (.ci/run names both).
    name = os.environ.get("BARID_CHAOS_DRAW") or os.environ.get("PYTEST_XDIST_TESTRUNUID")
    drawn = random.Random(name).randrange(10**6)
    first = int(given) if given else drawn
    rounds: list[tuple[Size, int, bool, tuple[ruin.Blow, ...], tuple[ruin.Blow, ...]]] = []
    for size in sizes.SIZES:
        if os.environ.get("BARID_SOAK_SIZE", size.name) != size.name:
            continue
        if ROUNDS or given:
            single = ruin.SINGLE if size is sizes.EMBEDDED else (*ruin.SINGLE, *cluster_ruin.CLUSTER)
            rounds += [(size, first + number, True, single, ruin.WHOLE) for number in range(_rounds(size))]
        elif size is sizes.EMBEDDED:
            rounds.append((size, first, True, ruin.SINGLE[:1], ruin.WHOLE[:3]))
            rounds.append((size, first + 1, True, ruin.SINGLE[1:], ruin.WHOLE[3:]))
        else:
            others = [blow for blow in cluster_ruin.CLUSTER if blow is not cluster_ruin.replicas_come_and_go]
            some = random.Random(first).sample((*others, ruin.a_bus_wiped), SHORT)
            always = (ruin.each_in_turn, cluster_ruin.replicas_come_and_go)
            single = (*always, *(blow for blow in some if blow in cluster_ruin.CLUSTER))
            rounds.append((size, first, False, single, tuple(blow for blow in some if blow in ruin.WHOLE)))
    if only := os.environ.get("BARID_SOAK_BLOWS"):
        rounds = [(*each[:3], _named(only, each[3]), _named(only, each[4])) for each in rounds]
    metafunc.parametrize(
        ("size", "seed", "thorough", "single", "whole"), rounds, ids=[f"{each[0]}-seed-{each[1]}" for each in rounds]
    )


def _rounds(size: Size) -> int:
    """A round of the cluster size has three times the processes and twice the blows."""
    return max(1, ROUNDS if size is sizes.EMBEDDED or "BARID_SOAK_SIZE" in os.environ else ROUNDS // 4)


def _named(only: str, blows: tuple[ruin.Blow, ...]) -> tuple[ruin.Blow, ...]:
    return tuple(blow for blow in blows if blow.__name__ in only.split(","))


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def cluster(size: Size, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster | None]:
    """What can be made to fail of the cluster size."""
    if size is not sizes.CLUSTER:
        yield None
        return
    with sizes.open_folder() as folder, FailingStore(folder / "data") as store:
        cluster = Cluster(folder, store, Clocks(folder / "clocks"))
        monkeypatch.setattr(running, "START_SECONDS", START_SECONDS)
        for name, value in cluster.clocks.environment.items():
            monkeypatch.setenv(name, value)
        yield cluster


@pytest.fixture
def system(
    size: Size, sink: Sink, tmp_path: Path, cluster: Cluster | None, request: pytest.FixtureRequest
) -> Iterator[MailSystem]:
    """One process for each service and replica, on data of its own."""
    options = [*size.options, "--route", f"{SINK}=127.0.0.1:{sink.port}"]
    if cluster is not None:
        options += cluster.store.options(sizes.WRITERS)
    system = MailSystem(tmp_path if cluster is None else cluster.folder, options, processes=0)
    system.start()
    yield system
    system.kill_all()
    if (logs := os.environ.get("BARID_SOAK_LOGS")) is not None:
        shutil.copy(system.log_file, Path(logs) / f"{request.node.name}.log")
