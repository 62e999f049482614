"""Bodies in a bucket, read by reference: `BucketBodies`. Every byte that leaves has been compared with its checksum."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

from barid_contracts.mail import BodyRef

from ...clock import Clock, SystemClock
from ...objects.place import KEEP_MOST
from ...objects.port import ObjectEnds, ObjectError, ObjectMissing, ObjectStore
from .. import record
from ..bodies import INLINE, STRIDE, behind, checked_body, extent, lead_table
from ..port import CHUNK, BodyCorrupt, BodyMissing, BodyUnavailable
from . import keys
from .blocks import Blocks

READERS = 8
"""Requests at once: at 30 ms each, 250 a second."""

PAUSES = (0.1, 0.5)
"""Seconds before each further try: who reads waits for it, and may be told to come again."""


RETURNS = 3600.0 + KEEP_MOST
"""Seconds after the beginning of a writer's hour, or a large mail's acceptance, within which what the store lost may be
sent again from a copy: to say that it is lost would have it held, or given back to its sender."""


class BucketBodies:
    """cache: bytes of what was read lately that are kept. Reads need a running loop."""

    def __init__(
        self, store: ObjectStore, cache: int, clock: Clock | None = None, *, close: Callable[[], None] | None = None
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._close = close
        self._executor = ThreadPoolExecutor(READERS, thread_name_prefix="bodies")
        self.blocks = Blocks(self._get, cache)

    async def read(self, ref: BodyRef) -> bytes:
        """See BodyReader."""
        key = _key(ref)
        if extent(ref) > INLINE:
            return checked_body(await self._get(key, ref.offset, extent(ref)), ref)
        try:
            return checked_body(await self.blocks.read(key, ref.offset, extent(ref)), ref)
        except BodyCorrupt:
            # It may have been spoilt on its way to us.
            return checked_body(await self.blocks.read(key, ref.offset, extent(ref), fresh=True), ref)

    async def stream(self, ref: BodyRef, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """See BodyReader. A range beyond the body ends with the body."""
        start = max(start, 0)
        end = ref.size if length is None else min(ref.size, start + length)
        if start >= end:
            return
        if extent(ref) <= INLINE:
            body = await self.read(ref)
            for at in range(start, end, CHUNK):
                yield body[at : min(at + CHUNK, end)]
            return
        key = _key(ref)
        table = await self._table(key, ref)
        first = ref.offset + ref.head
        for stride in range(start - start % CHUNK, end, STRIDE):
            size = min(STRIDE, ref.size - stride)
            data = await self._get(key, first + stride, size)
            if len(data) < size:
                raise BodyMissing("the pack ends before the body does")
            record.verify_chunks(table, data, stride // CHUNK)
            for at in range(stride, min(stride + STRIDE, end), CHUNK):
                yield data[max(at, start) - stride : min(at + CHUNK, end) - stride]

    def close(self) -> None:
        """Forget what is kept."""
        self.blocks.clear()
        self._executor.shutdown(wait=False)
        if self._close is not None:
            self._close()

    async def _table(self, key: str, ref: BodyRef) -> bytes:
        if ref.head:
            return lead_table(await self._get(key, ref.offset, ref.head), ref)
        return record.decode_object_table(await self._get(key, ref.size, behind(ref)), ref.size)

    async def _get(self, key: str, offset: int, length: int) -> bytes:
        loop = asyncio.get_running_loop()
        for pause in (*PAUSES, None):
            try:
                return await loop.run_in_executor(self._executor, self._store.get, key, offset, length)
            except ObjectMissing as error:
                if not isinstance(error, ObjectEnds) and self._may_return(key):
                    raise BodyUnavailable(f"the body is not there now: {error}") from error
                raise BodyMissing(f"no such body: {error}") from error
            except ObjectError as error:
                if pause is None:
                    raise BodyUnavailable(f"the body can't be read now: {error}") from error
                await asyncio.sleep(pause)
        raise AssertionError

    def _may_return(self, key: str) -> bool:
        begun = keys.time_of(key.rpartition("/")[0] if key.endswith(".pack") else key)
        return abs(self._clock.now() - begun) < RETURNS


def _key(ref: BodyRef) -> str:
    # References come from databases and the bus; a name that leads elsewhere is nobody's body.
    key = keys.pack_key(ref.pack)
    if key is None:
        raise BodyMissing("the reference names no pack")
    return key
