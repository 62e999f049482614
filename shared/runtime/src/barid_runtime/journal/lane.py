"""One queue of appends and the pack that they go to. A sync that runs gathers the next batch: no delay is added.

States of a pack, and what a crash leaves in each:

    open      records up to `position` are durable; after it may stand part of a batch that nobody was told about
    sealed    footer written; never changed again
    failed    a write or sync went wrong other than for lack of room: its last batch is in the abort list, nobody
              writes there any more, the next process that recovers the folder seals it

A batch that meets a full disk is cut off again, and that is synced, so its 452 is not followed by a ghost; the pack
goes on. If even the abort list can't be written, the batch may come back after a restart although its senders were
told 451: twice at worst, never lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from barid_contracts.mail import BodyRef

from . import record
from .batch import Committed, CommittedMail, Waiting, write
from .device import Device
from .device import refusal as refusal_of
from .folder import add_aborted
from .footer import encode_entry
from .pack import PACK_SIZE, WRITE_AHEAD, Pack, create, cut_off, seal
from .port import JournalError, JournalFailed, JournalFull
from .spool import SpoolFile
from .thread import WorkerThread
from .write_ahead import WriteAhead

MAX_BATCH = 4 * 1024 * 1024
"""Bytes of one sync: what a slow disk (50 MB/s) does within 80 ms, so nobody waits long behind others' mail."""

MAX_BATCH_RECORDS = 500
"""Two buffers a record, and one call takes 1,000."""

MAX_QUEUED = 16 * 1024 * 1024
"""Bytes waiting for a sync before appends wait for room: four full batches."""

_BUG = "the journal met an internal error"


class Lane:
    """Appends to one pack after the other. All methods run on the loop; writes go through the lane's own thread."""

    def __init__(
        self,
        name: str,
        device: Device,
        executor: Executor,
        new_pack: Callable[[], tuple[Path, int]],
        committed: Callable[[Committed], None],
        trouble: Callable[[str], None],
        *,
        pack_size: int = PACK_SIZE,
        write_ahead: int = WRITE_AHEAD,
    ) -> None:
        self._device = device
        self._executor = executor
        self._new_pack = new_pack
        self._committed = committed
        self._trouble = trouble
        self._pack_size = pack_size
        self._ahead = WriteAhead(device, executor, pack_size, write_ahead)
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._wake: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._pack: Pack | None = None
        self._sealing: set[asyncio.Future[None]] = set()
        self._rotate = False
        self._closing = False
        self._thread = WorkerThread(f"journal-{name}")
        self.loop = asyncio.get_running_loop()
        self._task = self.loop.create_task(self._work(), name=f"journal-{name}")

    def submit(self, waiting: Waiting) -> asyncio.Future[BodyRef]:
        """Done when the record is durable, or refused."""
        if self._queued >= MAX_QUEUED:
            return self.loop.create_task(self.append(waiting))
        self._enter(waiting)
        return waiting.durable

    async def append(self, waiting: Waiting) -> BodyRef:
        while self._queued >= MAX_QUEUED:
            self._room.clear()
            await self._room.wait()
        self._enter(waiting)
        return await waiting.durable

    def _enter(self, waiting: Waiting) -> None:
        if self._closing:
            raise JournalFailed("the journal is closed")
        self._queue.append(waiting)
        self._queued += waiting.extent
        self._kick()

    def rotate(self) -> None:
        """Seal the pack, if it has content, before the next batch."""
        self._rotate = True
        self._kick()

    async def close(self) -> None:
        """Commit what waits, seal the pack."""
        self._closing = True
        self._room.set()
        self._kick()
        await self._task
        self._thread.stop()

    def _kick(self) -> None:
        if self._wake is not None:
            self._wake.set_result(None)
            self._wake = None

    async def _work(self) -> None:
        while True:
            if self._rotate:
                self._rotate = False
                if self._pack is not None and self._pack.count:
                    await self._retire()
            if self._queue:
                await self._commit_or_refuse(self._take())
            elif self._closing:
                break
            elif not self._rotate:
                self._wake = self.loop.create_future()
                await self._wake
        if self._pack is not None:
            await self._retire()
        if self._sealing:
            await asyncio.wait(self._sealing)

    async def _commit_or_refuse(self, batch: list[Waiting]) -> None:
        """Nobody may hang for a bug of ours: what was written stays, unanswered, for the recovery."""
        try:
            await self._commit(batch)
        except Exception as error:
            self._trouble(repr(error))
            self._pack = None
            self._refuse(batch, JournalFailed(_BUG))

    def _take(self) -> list[Waiting]:
        """The next batch: all that waits, up to the limits."""
        batch: list[Waiting] = []
        size = 0
        queue = self._queue
        while queue and len(batch) < MAX_BATCH_RECORDS:
            waiting = queue[0]
            if batch and size + waiting.extent > MAX_BATCH:
                break
            queue.popleft()
            self._queued -= waiting.extent
            if waiting.durable.cancelled():
                continue
            size += waiting.extent
            batch.append(waiting)
        if self._queued < MAX_QUEUED:
            self._room.set()
        return batch

    async def _commit(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        size = sum([waiting.extent for waiting in batch])
        try:
            pack = await self._pack_for(size)
        except OSError as error:
            self._refuse(batch, refusal_of(error))
            return
        start = pack.position
        end = start + size
        await self._ahead.make_way(end)
        leads: list[bytes] = []
        parts: list[bytes | SpoolFile] = []
        spools: list[SpoolFile] = []
        for waiting in batch:
            lead = record.encode_lead(
                pack.salt,
                waiting.flags,
                waiting.mail_id,
                waiting.head,
                waiting.table,
                start,
                waiting.size,
                waiting.sha256,
            )
            leads.append(lead)
            parts.append(lead)
            if not waiting.flags & record.EXTERNAL:
                parts.append(waiting.body)
                if isinstance(waiting.body, SpoolFile):
                    waiting.body.hold()
                    spools.append(waiting.body)
        try:
            await self._thread.run(write, self._device, pack.fd, parts, start)
        except Exception as error:
            await self._undo(pack, batch, error)
            return
        finally:
            for spool in spools:
                spool.let_go()
        pack.position = end
        if end > pack.zeroed:
            pack.zeroed = end
        self._answer(pack, start, batch, leads)
        self._ahead.go_on(pack)

    def _answer(self, pack: Pack, offset: int, batch: list[Waiting], leads: list[bytes]) -> None:
        start = offset
        name = pack.name
        mails: list[CommittedMail] = []
        for waiting, lead in zip(batch, leads, strict=True):
            mail_id, size, accounts, remotes = waiting.mail_id, waiting.size, waiting.accounts, waiting.remotes
            pack.add(encode_entry(mail_id, offset, len(lead), size, waiting.flags, accounts, remotes))
            if waiting.flags & record.EXTERNAL:
                ref = record.object_ref(mail_id, size)
            else:
                ref = BodyRef(pack=name, offset=offset, head=len(lead), size=size)
            mails.append(CommittedMail(mail_id, waiting.head, ref, accounts, remotes))
            if not waiting.durable.done():
                waiting.durable.set_result(ref)
            offset += waiting.extent
        self._committed(Committed(name, start, offset, mails))

    async def _pack_for(self, size: int) -> Pack:
        """The open pack, or a new one where it has no room. Raises OSError."""
        pack = self._pack
        if pack is not None and pack.count and pack.position + size > self._pack_size:
            await self._retire()
            pack = None
        if pack is None:
            path, created = self._new_pack()
            pack = self._pack = await self._thread.run(create, self._device, path, created)
        return pack

    async def _retire(self) -> None:
        """Take the pack out of use and seal it in the background."""
        pack, self._pack = self._pack, None
        assert pack is not None
        await self._ahead.rest()
        sealing = self.loop.run_in_executor(self._executor, seal, self._device, pack)
        self._sealing.add(sealing)
        sealing.add_done_callback(self._sealed)

    def _sealed(self, done: "asyncio.Future[None]") -> None:
        self._sealing.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            self._trouble(f"a pack could not be sealed: {error}")

    async def _undo(self, pack: Pack, batch: list[Waiting], error: Exception) -> None:
        # What is no OSError is a bug of ours; nobody knows what it wrote, so the pack is given up as well.
        refusal = refusal_of(error) if isinstance(error, OSError) else JournalFailed(_BUG)
        if refusal.args == (_BUG,):
            self._trouble(repr(error))
        await self._ahead.rest()
        if isinstance(refusal, JournalFull):
            try:
                await self._thread.run(self._device.truncate, pack.fd, pack.position)
            except OSError as worse:
                refusal = JournalFailed(f"a full disk, and the batch could not be cut off: {worse.strerror}")
            else:
                pack.zeroed = pack.position
        if isinstance(refusal, JournalFailed):
            self._trouble(str(refusal))
            await self._abandon(pack, batch)
        self._refuse(batch, refusal)

    async def _abandon(self, pack: Pack, batch: list[Waiting]) -> None:
        """No sync of this file can be believed any more. Its durable records stay readable where they are."""
        self._pack = None
        offset = pack.position
        records: list[tuple[int, str]] = []
        for waiting in batch:
            records.append((offset, waiting.mail_id))
            offset += waiting.extent
        try:
            await self._thread.run(add_aborted, pack.path.parent, pack.path.name, records)
        except OSError as error:
            self._trouble(f"the abort list could not be written: {error.strerror}")
        try:
            # Even unsynced, this keeps the batch from coming back if only the process dies.
            await self._thread.run(cut_off, self._device, pack)
        except OSError as error:
            self._trouble(f"a failed pack could not be cut: {error.strerror}")

    def _refuse(self, batch: list[Waiting], refusal: JournalError) -> None:
        for waiting in batch:
            if not waiting.durable.done():
                waiting.durable.set_exception(refusal)
                # Whoever appended may be gone by now; an error that nobody fetched is no news.
                waiting.durable.exception()
