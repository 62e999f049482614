"""A large body on its way in: a file in the writer's `spool/`, its checksums made as the bytes pass.

Memory: at most FLUSH and one chunk of the sender's a body. Nothing is synced here; the append does that.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from . import record
from .device import Device, refusal
from .port import CHUNK, JournalFailed

FLUSH = 4 * CHUNK
"""Bytes gathered before a thread hashes and writes them: 0.4 ms of work for a hop of 0.05."""


class SpoolFile:
    """The local journal's `Spool`. One writer at a time."""

    def __init__(self, device: Device, path: Path, executor: Executor, room: Callable[[], None]) -> None:
        self._device = device
        self._executor = executor
        self._room = room
        self._gathered: list[bytes] = []
        self._waiting = 0
        self._written = 0
        self._holders = 0
        self._discarded = False
        self._sha = hashlib.sha256()
        self._table: list[bytes] = []
        self.path = path
        self.fd = -1

    @property
    def size(self) -> int:
        return self._written + self._waiting

    @property
    def table(self) -> bytes:
        """The chunk table; whole after `finish`."""
        return b"".join(self._table)

    @property
    def sha256(self) -> bytes:
        return self._sha.digest()

    async def write(self, chunk: bytes) -> None:
        """Raises JournalFull, JournalFailed."""
        self._gathered.append(bytes(chunk))
        self._waiting += len(chunk)
        if self._waiting >= FLUSH:
            self._room()
            await self._flush(self._waiting - self._waiting % CHUNK)

    async def finish(self) -> None:
        """Everything is in the file (not synced) and in the checksums. Nothing is written after this."""
        if self._waiting or self.fd < 0:
            await self._flush(self._waiting)

    async def discard(self) -> None:
        self._gathered.clear()
        self._waiting = 0
        self._discarded = True
        if self.fd >= 0 and not self._holders:
            # Freeing the blocks of a large file takes milliseconds.
            try:
                removing = asyncio.get_running_loop().run_in_executor(self._executor, self._remove)
            except RuntimeError:  # the journal was closed meanwhile, and its threads with it
                self._remove()
            else:
                await removing

    def forget(self) -> None:
        """The file has another name by now: let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def hold(self) -> None:
        """A thread works on the file: it stays open, even if whoever waits is cancelled and discards it."""
        self._holders += 1

    def let_go(self) -> None:
        self._holders -= 1
        if self._discarded and not self._holders and self.fd >= 0:
            self._remove()

    async def in_thread(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run something that uses the file, holding it until that is done. Raises what it raises, and JournalFailed."""
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        except RuntimeError:
            raise JournalFailed("the journal is closed") from None
        self.hold()

        def done(future: "asyncio.Future[None]") -> None:
            self.let_go()
            future.exception()  # whoever waited may be gone

        running.add_done_callback(done)
        await asyncio.shield(running)

    def _remove(self) -> None:
        fd, self.fd = self.fd, -1
        os.close(fd)
        self.path.unlink(missing_ok=True)

    async def _flush(self, size: int) -> None:
        data = b"".join(self._gathered)
        self._gathered = [data[size:]] if len(data) > size else []
        self._waiting = len(data) - size
        offset, self._written = self._written, self._written + size
        try:
            await self.in_thread(self._store, data[:size] if self._gathered else data, offset)
        except OSError as error:
            raise refusal(error) from error

    def _store(self, data: bytes, offset: int) -> None:
        if self.fd < 0:
            self.path.parent.mkdir(exist_ok=True)
            self.fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._sha.update(data)
        self._table.append(record.checksums(data))
        self._device.write(self.fd, [data], offset)


def make_object(device: Device, spool: SpoolFile, target: Path) -> None:
    """Complete the spool file and give it its name among the objects, durably. Blocks. Raises OSError."""
    trailer = record.encode_object_trailer(spool.table, spool.size, spool.sha256)
    device.write_durably(spool.fd, [trailer], spool.size)
    if not target.parent.is_dir():
        target.parent.mkdir(exist_ok=True)
        device.sync_folder(target.parent.parent)
    os.fsync(spool.fd)
    spool.path.rename(target)
    device.sync_folder(target.parent)
