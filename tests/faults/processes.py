"""What the kernel knows of a system's processes: their memory, and how to make one stand still."""

import contextlib
import os
import signal
from collections.abc import Iterator

from barid_testing.mail_system import MailSystem


def forget_peaks(system: MailSystem) -> dict[str, int]:
    """Let the kernel count anew; bytes resident now, by process."""
    found = {}
    for name, pid in system.pids().items():
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")  # proc(5): resets the peak resident set size
        found[name] = _status(pid, "VmRSS")
    return found


def peaks(system: MailSystem) -> dict[str, int]:
    """The most bytes that were resident at any moment since, by process."""
    return {name: _status(pid, "VmHWM") for name, pid in system.pids().items()}


def _status(pid: int, field: str) -> int:
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise LookupError(field)


@contextlib.contextmanager
def standing_still(system: MailSystem, name: str) -> Iterator[int]:
    """The process answers nobody within; it goes on after it, knowing nothing of the time between."""
    pid = system.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)
