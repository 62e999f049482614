"""The few system calls that a journal stands on, gathered so that tests can make any of them fail."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .port import JournalError, JournalFailed, JournalFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""There is no room, and there may be again."""

_IOV = 1000
"""Buffers a call; Linux takes 1,024."""

_COPY = 1024 * 1024
_ZEROS = bytes(1024 * 1024)

_DSYNC: int = getattr(os, "RWF_DSYNC", 0)
_RANGE_COPY = hasattr(os, "copy_file_range")

_NO_RANGE_COPY: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM})
"""This file system, or what contains us, doesn't copy inside the kernel."""


class Device:
    """The local file system. All of it blocks, and is called from threads."""

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> int:
        """Write all buffers from `offset`; returns the offset after them. Not durable yet."""
        return self._write(fd, buffers, offset, 0)

    def write_durably(self, fd: int, buffers: Sequence[bytes], offset: int) -> None:
        """Write all buffers and return when they are on disk.

        RWF_DSYNC does both in one system call, so the thread waits once for the interpreter's lock, not twice.
        """
        self._write(fd, buffers, offset, _DSYNC)
        if not _DSYNC:
            self.sync(fd)

    def _write(self, fd: int, buffers: Sequence[bytes], offset: int, flags: int) -> int:
        for at in range(0, len(buffers), _IOV):
            part = buffers[at : at + _IOV]
            wanted = sum(map(len, part))
            while wanted:
                done = os.pwritev(fd, part, offset, flags)
                offset += done
                wanted -= done
                if wanted:
                    part = _after(part, done)
        return offset

    def copy(self, source: int, target: int, offset: int, size: int) -> None:
        """The first `size` bytes of one file to `offset` of another, inside the kernel if it can."""
        done = 0
        in_kernel = _RANGE_COPY
        while done < size:
            wanted = min(_COPY, size - done)
            if in_kernel:
                try:
                    step = os.copy_file_range(source, target, wanted, done, offset + done)
                except OSError as error:
                    if error.errno not in _NO_RANGE_COPY:
                        raise
                    in_kernel = False
                    continue
            else:
                step = os.pwrite(target, os.pread(source, wanted, done), offset + done)
            if not step:
                raise OSError(errno.EIO, "the spool file is shorter than what was written to it")
            done += step

    def zero(self, fd: int, offset: int, size: int) -> None:
        """Real zeros, not `fallocate`: an unwritten extent must be converted, and its fdatasync costs as much as
        that of a file that grows. Nothing may be written behind `offset` meanwhile."""
        state = os.fstatvfs(fd)
        if state.f_bavail * state.f_frsize < 2 * size:
            raise OSError(errno.ENOSPC, "too little room to write ahead")  # records, elsewhere too, come first
        try:
            for at in range(0, size, len(_ZEROS)):
                self._write(fd, [_ZEROS[: size - at]], offset + at, 0)
            os.fdatasync(fd)
        except OSError:
            os.ftruncate(fd, offset)  # on a full disk the records need what the zeros took
            raise

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)
        os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free(self, path: Path) -> int:
        """Bytes that may still be written by us."""
        state = os.statvfs(path)
        return state.f_bavail * state.f_frsize


def _after(buffers: Sequence[bytes], done: int) -> list[bytes]:
    """What is left of the buffers when `done` bytes of them are written."""
    rest: list[bytes] = []
    for buffer in buffers:
        if done >= len(buffer):
            done -= len(buffer)
        else:
            rest.append(buffer[done:] if done else buffer)
            done = 0
    return rest


def refusal(error: OSError) -> JournalError:
    """What to tell who wanted to write: come again (JournalFull), or that it went wrong."""
    if error.errno in _FULL:
        return JournalFull("no space left on the journal's disk")
    return JournalFailed(f"the journal could not be written: {error.strerror or error}")
