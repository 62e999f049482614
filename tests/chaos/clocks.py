"""Clocks of single processes, set wrong while they run.

The machine's clock is everybody's, and nobody but root may set it; a preloaded library would be one more program to
install. So the processes' Python is told, by a module that it loads at its start (`shifted/`), to add what stands for
its process id in a shared file. The services know nothing of it.
"""

import mmap
import struct
from pathlib import Path

PIDS = 4 * 1024 * 1024
"""Linux gives no higher ones (PID_MAX_LIMIT). The file is sparse."""

_SECONDS = struct.Struct("d")


class Clocks:
    def __init__(self, file: Path) -> None:
        with file.open("wb+") as opened:
            opened.truncate(PIDS * _SECONDS.size)
            self._offsets = mmap.mmap(opened.fileno(), 0)
        file.chmod(0o644)
        self._shifted: set[int] = set()
        self.environment = {"CHAOS_CLOCKS": str(file), "PYTHONPATH": str(Path(__file__).parent / "shifted")}

    def shift(self, pid: int, seconds: float) -> None:
        """From now on; processes that it forks have their own."""
        _SECONDS.pack_into(self._offsets, pid * _SECONDS.size, seconds)
        self._shifted.add(pid)

    def put_right(self) -> None:
        for pid in self._shifted:
            _SECONDS.pack_into(self._offsets, pid * _SECONDS.size, 0.0)
        self._shifted.clear()
