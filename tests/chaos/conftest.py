"""Rounds of killing: two by default, as many as BARID_SOAK_ROUNDS says in a soak."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid_testing.mail_system import Account, MailSystem

ROUNDS = int(os.environ.get("BARID_SOAK_ROUNDS", "2"))

QUICK = ("--set", "mailstore.reconcile_seconds=1", "--set", "mailstore.reconcile_grace=2")
"""The reconciler looks often, so that what a killed bus or service left is found while the test waits."""

ACCOUNTS = 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "round_number" in metafunc.fixturenames:
        metafunc.parametrize("round_number", range(1, ROUNDS + 1))


@pytest.fixture
def system(tmp_path: Path) -> Iterator[MailSystem]:
    """One process for each service, on data of its own."""
    system = MailSystem(tmp_path, [*QUICK, "--set", "mailstore.reconcile_grace_at_start=1"], processes=0)
    system.start()
    yield system
    system.stop()


@pytest.fixture
def accounts(system: MailSystem) -> list[Account]:
    return [system.account() for _ in range(ACCOUNTS)]
