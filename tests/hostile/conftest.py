"""One system, a process for each service, that all of this folder is thrown at; and after each test a look at whether
it shrugged it off."""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barid_testing.mail_system import Account, MailSystem

MAX_SIZE = 8 * 1024 * 1024
"""Octets of a message here: small, so that too much is sent soon."""

GROWTH = 40 * 1024 * 1024
"""Bytes that a process may have grown by one test. Hostile input is small; none of it may be kept."""

LOG_WITHIN = 2.0


@pytest.fixture(scope="session")
def besieged(mail_systems: Callable[..., MailSystem]) -> MailSystem:
    return mail_systems("--max-size", str(MAX_SIZE), processes=0)


@pytest.fixture(scope="session")
def victim(besieged: MailSystem) -> Account:
    """Whom hostile mail is addressed to."""
    return besieged.account("victim")


@pytest.fixture(scope="session")
def bystander(besieged: MailSystem) -> Account:
    """Whose mail goes on."""
    return besieged.account("bystander")


class LogLines:
    """The lines that were written since it was made."""

    def __init__(self, system: MailSystem) -> None:
        self._file = system.log_file
        self._start = self._file.stat().st_size

    def all(self) -> list[dict[str, Any]]:
        with self._file.open("rb") as file:
            file.seek(self._start)
            return [json.loads(line) for line in file.read().split(b"\n")[:-1] if line.startswith(b"{")]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Waits for a moment: a reply may be read before its line is in the file."""
        until = time.monotonic() + LOG_WITHIN
        seen = -1
        while time.monotonic() < until:
            found = [line for line in self.all() if line["event"] == event]
            if found and len(found) == seen:
                return found
            seen = len(found)
            time.sleep(0.03)
        return []


@pytest.fixture
def log_lines(besieged: MailSystem) -> LogLines:
    return LogLines(besieged)


@pytest.fixture(autouse=True)
def unimpressed(besieged: MailSystem, bystander: Account, log_lines: LogLines) -> Iterator[None]:
    """After whatever the test did: the same processes, none much larger, no error logged, and mail goes through."""
    pids = besieged.pids()
    before = {name: resident(pid) for name, pid in pids.items()}
    yield
    subject = f"as usual {secrets.token_hex(4)}"
    besieged.send("somebody@elsewhere.test", bystander, subject, "Nothing happened.\n")
    besieged.expect(bystander, subject)
    assert besieged.pids() == pids
    grown = {name: resident(pid) - before[name] for name, pid in pids.items()}
    assert max(grown.values()) < GROWTH, grown
    troubled = [line for line in log_lines.all() if line["level"] == "error"]
    assert troubled == []


def resident(pid: int) -> int:
    """Bytes of memory of its own and shared."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
