"""Bodies on a local directory, read by reference: `LocalBodies`. Every byte that leaves has been compared with its
checksum.

A small body is one pread on the loop: 6 µs from the page cache, where new mail is. From a cold disk it blocks the
loop for the disk's access time (0.1 ms on SSDs); a hop through a thread costs every read 60 µs, so it is kept for what
is large.
"""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from barid_contracts.mail import BodyRef

from . import record
from .port import CHUNK, BodyCorrupt, BodyMissing

INLINE = 256 * 1024
"""Bytes read on the loop; more goes through a thread."""

STRIDE = 16 * CHUNK
"""Bytes that a stream reads at a time: its memory, and 16 chunks for one hop."""

MAX_OPEN = 64
"""Files kept open: a pack or an object each."""

IDLE = 60.0
"""Seconds after which an unused file is closed, so that the blocks of a deleted pack are given back."""

_PACK = re.compile(r"[a-z][a-z0-9_]{0,30}\.[0-9A-Z]{26}/[0-9]{6}\.pack|objects/[0-9A-Z]{26}")


class LocalBodies:
    """root: the journal's directory. Reads need a running loop."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: OrderedDict[str, _File] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None

    async def read(self, ref: BodyRef) -> bytes:
        """See BodyReader."""
        file = self._file(ref.pack)
        try:
            if ref.head + ref.size <= INLINE:
                return _read(file, ref)
            return await _in_thread(file, _read, file, ref)
        finally:
            file.release()

    async def stream(self, ref: BodyRef, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """See BodyReader. A range beyond the body ends with the body."""
        start = max(start, 0)
        end = ref.size if length is None else min(ref.size, start + length)
        if start >= end:
            return
        if ref.head + ref.size <= INLINE:
            body = await self.read(ref)
            for at in range(start, end, CHUNK):
                yield body[at : min(at + CHUNK, end)]
            return
        file = self._file(ref.pack)
        try:
            table = await _in_thread(file, _table, file, ref)
            for stride in range(start - start % CHUNK, end, STRIDE):
                data = await _in_thread(file, _part, file, ref, table, stride, min(STRIDE, ref.size - stride))
                for at in range(stride, min(stride + STRIDE, end), CHUNK):
                    yield data[max(at, start) - stride : min(at + CHUNK, end) - stride]
        finally:
            file.release()

    def close(self) -> None:
        """Close all files. Reads that run go on with theirs."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._open:
            self._open.popitem()[1].release()

    def _file(self, pack: str) -> "_File":
        file = self._open.get(pack)
        if file is None:
            file = self._open[pack] = self._open_file(pack)
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)[1].release()
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(IDLE, self._close_idle)
        else:
            self._open.move_to_end(pack)
        file.used = True
        file.users += 1
        return file

    def _open_file(self, pack: str) -> "_File":
        # References come from databases and the bus; a name that leads elsewhere is nobody's body.
        if not _PACK.fullmatch(pack):
            raise BodyMissing("the reference names no pack")
        try:
            return _File(os.open(self._root / pack, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise BodyMissing(f"no pack {pack}") from None
        except OSError as error:
            raise BodyCorrupt(f"{pack} can't be opened: {error.strerror}") from error

    def _close_idle(self) -> None:
        self._sweep = None
        for pack, file in list(self._open.items()):
            if file.used:
                file.used = False
            else:
                del self._open[pack]
                file.release()
        if self._open:
            self._sweep = asyncio.get_running_loop().call_later(IDLE, self._close_idle)


class _File:
    """An open file, closed when the cache and the last read have let go of it. Counted on the loop alone."""

    __slots__ = ("fd", "used", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.used = True
        self.users = 1

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            os.close(self.fd)

    def pread(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self.fd, size, offset)
        except OSError as error:
            raise BodyCorrupt(f"the disk can't read it: {error.strerror}") from error


async def _in_thread(file: _File, function: Callable[..., bytes], *arguments: Any) -> bytes:
    """Whoever waits may be cancelled; the file stays open until the thread is done with it."""
    file.users += 1
    running = asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def done(future: asyncio.Future[bytes]) -> None:
        file.release()
        future.exception()  # whoever waited may be gone

    running.add_done_callback(done)
    return await asyncio.shield(running)


def _read(file: _File, ref: BodyRef) -> bytes:
    return checked_body(file.pread(extent(ref), ref.offset), ref)


def extent(ref: BodyRef) -> int:
    """Bytes to read from `ref.offset` for the whole body and what verifies it."""
    return ref.head + ref.size + (behind(ref) if not ref.head else 0)


def checked_body(data: bytes, ref: BodyRef) -> bytes:
    """The body in these bytes, verified. Raises BodyMissing, BodyCorrupt."""
    if not ref.head:
        body = data[: ref.size]
        table = record.decode_object_table(data[ref.size :], ref.size)
    else:
        table = lead_table(data, ref)
        body = data[ref.head :]
    if len(body) < ref.size:
        raise BodyMissing("the pack ends before the body does")
    record.verify_chunks(table, body)
    return body


def lead_table(data: bytes, ref: BodyRef) -> bytes:
    """The chunk table in these bytes, which begin with the record. Raises BodyMissing, BodyCorrupt."""
    if len(data) < ref.head:
        raise BodyMissing("the pack ends before the record")
    lead = record.decode_lead(data)
    if lead.size != ref.head or lead.body_size != ref.size:
        raise BodyCorrupt("another record stands here")
    return lead.table


def behind(ref: BodyRef) -> int:
    """Bytes that follow the body in an object of its own."""
    return 4 * -(-ref.size // CHUNK) + record.OBJECT_TRAILER


def _table(file: _File, ref: BodyRef) -> bytes:
    if ref.head:
        return lead_table(file.pread(ref.head, ref.offset), ref)
    return record.decode_object_table(file.pread(behind(ref), ref.size), ref.size)


def _part(file: _File, ref: BodyRef, table: bytes, start: int, size: int) -> bytes:
    """Whole chunks from `start` on, verified."""
    data = file.pread(size, ref.offset + ref.head + start)
    if len(data) < size:
        raise BodyMissing("the pack ends before the body does")
    record.verify_chunks(table, data, start // CHUNK)
    return data
