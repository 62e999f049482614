"""A device that fails where a test wants it to."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from barid_runtime.journal.device import Device


class FaultyDevice(Device):
    """`fail[operation] = errno` makes every such call fail until it is taken out again. write_durably fails after
    half of its bytes were written: the worst that a disk does."""

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.free_bytes: int | None = None
        self.synced: list[int] = []
        self.synced_folders: list[Path] = []

    def _check(self, operation: str) -> None:
        if operation in self.fail:
            raise OSError(self.fail[operation], os.strerror(self.fail[operation]))

    def write_durably(self, fd: int, buffers: Sequence[bytes], offset: int) -> None:
        if "write_durably" in self.fail:
            half = b"".join(buffers)[: sum(map(len, buffers)) // 2]
            super().write(fd, [half], offset)
            self._check("write_durably")
        if "sync" in self.fail:  # all of it is in the page cache, and none of it may be on disk
            super().write(fd, buffers, offset)
            self._check("sync")
        super().write_durably(fd, buffers, offset)
        self.synced.append(len(buffers))

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> int:
        self._check("write")
        return super().write(fd, buffers, offset)

    def copy(self, source: int, target: int, offset: int, size: int) -> None:
        self._check("copy")
        super().copy(source, target, offset, size)

    def zero(self, fd: int, offset: int, size: int) -> None:
        self._check("zero")
        super().zero(fd, offset, size)

    def truncate(self, fd: int, size: int) -> None:
        self._check("truncate")
        super().truncate(fd, size)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self.synced_folders.append(path)

    def free(self, path: Path) -> int:
        return super().free(path) if self.free_bytes is None else self.free_bytes


FULL = errno.ENOSPC
BROKEN = errno.EIO
