"""Rounds of killing: as many as BARID_SOAK_ROUNDS says, each with all that can befall a system; without it two, which
share that between them. Each has a seed, which a failure names: BARID_SOAK_SEED=… repeats its choices."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid_testing.mail_system import MailSystem

from . import ruin
from .sink import Sink
from .town import SINK

ROUNDS = int(os.environ.get("BARID_SOAK_ROUNDS", "0"))

QUICK = (
    *("--set", "mailstore.reconcile_seconds=1", "--set", "mailstore.reconcile_grace=2"),
    *("--set", "mailstore.reconcile_grace_at_start=1"),
    *("--set", "relay.retry_first=1", "--set", "relay.retry_most=2"),
)
"""The reconciler looks often and the relay tries again soon: what a killed process left is done while a test waits."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        given = os.environ.get("BARID_SOAK_SEED")
        first = int(given) if given else random.SystemRandom().randrange(10**6)
        if ROUNDS or given:
            rounds = [(first + number, ruin.SINGLE, ruin.WHOLE) for number in range(ROUNDS or 1)]
        else:
            rounds = [(first, ruin.SINGLE[:1], ruin.WHOLE[:3]), (first + 1, ruin.SINGLE[1:], ruin.WHOLE[3:])]
        metafunc.parametrize(("seed", "single", "whole"), rounds, ids=[f"seed-{each[0]}" for each in rounds])


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def system(tmp_path: Path, sink: Sink) -> Iterator[MailSystem]:
    """One process for each service, on data of its own."""
    system = MailSystem(tmp_path, [*QUICK, "--route", f"{SINK}=127.0.0.1:{sink.port}"], processes=0)
    system.start()
    yield system
    system.kill_all()
