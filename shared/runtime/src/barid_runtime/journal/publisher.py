"""The publisher: tells the bus of every durable mail that is owed to somebody. Every journal has one, for it also takes
over the packs of the dead and keeps the cursor without which no pack is ever closed.

It hears each batch from the journal of its own process, and at start (and every RECOVER_EVERY) takes over what dead
incarnations of the same service left unpublished. One message a batch and kind; a cursor per pack follows the bus's
acknowledgements. A crash between the two publishes again, and every consumer is keyed by `(mail_id, n)`: nothing
changes.

While the bus is away it tries for ever. It keeps MEMORY bytes of heads; what is committed beyond that is read again
from the packs, so the backlog is bounded by the disk alone.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, ACCEPTED_STREAM

from ..bus.port import Bus, BusError, Stream
from ..clock import Clock, SystemClock
from ..logging import get_logger
from . import record
from .batch import Committed, CommittedMail
from .cursor import Cursors
from .device import Device
from .events import MAX_PAYLOAD, payloads, read_slice
from .folder import WriterFolder
from .packs import PackJournal
from .port import JournalError
from .recovery import Inheritance, Unpublished, inherit

IN_FLIGHT = 1
"""Messages sent and not yet acknowledged. When idle a batch goes at once; under load the next ones gather behind the
one that is under way, as appends do behind a running sync. Each message costs every process behind us a wake-up or two,
each mail in it far less: with 16 in flight, messages were a quarter smaller."""

MEMORY = 8 * 1024 * 1024
"""Bytes of heads kept for the bus: about 8,000 mails, or a second of outage under full load."""

RECOVER_EVERY = 60.0
"""Seconds between looks for siblings that died."""

CURSOR_EVERY = 1.0
"""Seconds between writings of the cursor: what a crash repeats is a second's mail, and a repeat is harmless."""

_BACKOFF = (0.05, 5.0)
"""Seconds of the first and the longest wait after a failure; a reconnection ends the wait at once."""

log = get_logger("journal.publisher")


@dataclass(slots=True)
class _Batch:
    """Mails in memory. bytes: of their heads."""

    pack: str
    start: int
    end: int
    mails: Sequence[CommittedMail]
    bytes: int


class Publisher:
    """Make it before the first append, so that it hears every batch.

    owes: whether this service's mails are owed to anybody; if not (uploads), it makes no stream and needs no leave to.
    """

    def __init__(
        self,
        journal: PackJournal,
        bus: Bus,
        clock: Clock | None = None,
        *,
        owes: bool = True,
        memory: int = MEMORY,
        device: Device | None = None,
    ) -> None:
        self._journal = journal
        self._root = journal.root
        self._bus = bus
        self._clock = clock or SystemClock()
        self._memory_limit = memory
        self._device = device or Device()
        self._queue: deque[_Batch | Unpublished] = deque()
        self._memory = 0
        self._flying: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._cursors = Cursors(journal.root)
        self._inherited: dict[str, WriterFolder] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._retry = asyncio.Event()
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._owes = owes
        if not owes:
            self._ready.set()
        self.backlog = 0
        """Mails durable here and owed to somebody, of which the bus does not know yet (those still to be counted in
        dead writers' packs left out)."""
        self.published = 0
        """Mails that the bus has acknowledged."""
        self.messages = 0
        """Messages they took."""
        self.problem = ""
        """Why nothing is published just now; for the log and the trace, not for readiness: mail is accepted anyway."""
        journal.listen(self._on_commit)
        bus.on_reconnect(self._on_reconnect)

    async def start(self) -> None:
        """Returns at once; the bus may be away."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._recover(), name="publisher-recovery"),
            loop.create_task(self._keep_cursors(), name="publisher-cursor"),
        ]
        if self._owes:
            self._tasks.append(loop.create_task(self._prepare(), name="publisher-stream"))

    async def idle(self) -> None:
        """Wait until all that is committed is published."""
        await self._idle.wait()

    async def close(self, grace: float = 5.0) -> None:
        """Publish what waits for up to `grace` seconds if the bus is there. Idempotent. Close the journal first."""
        if self._closed:
            return
        self._closed = True
        if self._bus.connected:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._idle.wait()
        tasks = [*self._tasks, *self._flying, *([self._reading] if self._reading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._cursors.write()
        for folder in self._inherited.values():
            folder.release()
        self._inherited.clear()

    def _on_commit(self, committed: Committed) -> None:
        size = owed = 0
        for mail in committed.mails:
            if mail.accounts or mail.remotes:
                owed += 1
                size += len(mail.head)
        if not owed:
            self._cursors.finish(committed.pack, committed.start, committed.end)
            return
        self.backlog += owed
        self._idle.clear()
        if self._memory + size > self._memory_limit:
            last = self._queue[-1] if self._queue else None
            if isinstance(last, Unpublished) and last.pack == committed.pack and last.end == committed.start:
                last.end = committed.end
            else:
                self._queue.append(Unpublished(committed.pack, committed.start, committed.end))
        else:
            self._memory += size
            self._queue.append(_Batch(committed.pack, committed.start, committed.end, committed.mails, size))
        self._pump()

    async def _on_reconnect(self) -> None:
        self._retry.set()

    def _pump(self) -> None:
        """Send what may be sent. Order is kept per pack as far as the bus's answers go; nobody relies on it."""
        if not self._ready.is_set() or self._reading is not None:
            if not self._queue and not self._flying and self._reading is None:
                self._idle.set()
            return
        loop = asyncio.get_running_loop()
        while self._queue and len(self._flying) < IN_FLIGHT:
            item = self._queue[0]
            if isinstance(item, Unpublished):
                self._reading = loop.create_task(self._read(item), name="publisher-read")
                return
            task = loop.create_task(self._send(self._gathered()))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        if not self._queue and not self._flying:
            self._idle.set()

    def _gathered(self) -> _Batch:
        """The batches at the head of the queue that follow each other in one pack, as one that fits a message."""
        queue = self._queue
        first = queue.popleft()
        assert isinstance(first, _Batch)
        mails: list[CommittedMail] | None = None
        size, end = first.bytes, first.end
        while queue:
            after = queue[0]
            if not isinstance(after, _Batch) or after.pack != first.pack or after.start != end:
                break
            if size + after.bytes > MAX_PAYLOAD:
                break
            if mails is None:
                mails = list(first.mails)
            mails += after.mails
            size, end = size + after.bytes, after.end
            queue.popleft()
        return first if mails is None else _Batch(first.pack, first.start, end, mails, size)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("publisher_failed", error=repr(error))
        if not self._closed or not task.cancelled():
            self._pump()

    async def _send(self, batch: _Batch) -> None:
        local = [mail for mail in batch.mails if mail.accounts]
        remote = [mail for mail in batch.mails if mail.remotes]
        owed = len(local) if not remote else sum(1 for mail in batch.mails if mail.accounts or mail.remotes)
        for event, mails in ((ACCEPTED_LOCAL, local), (ACCEPTED_REMOTE, remote)):
            if not mails:
                continue
            for part, payload in enumerate(payloads([record.splice_ref(mail.head, mail.ref) for mail in mails])):
                name = f"{event.subject}/{batch.pack}/{batch.start}-{batch.end}.{part}"
                await self._publish(event.subject, payload, name)
        self._memory -= batch.bytes
        self.backlog -= owed
        self.published += owed
        self._finish(batch.pack, batch.start, batch.end)

    async def _publish(self, subject: str, payload: bytes, name: str) -> None:
        wait, longest = _BACKOFF
        while True:
            try:
                await self._bus.publish_durable(subject, payload, message_id=name)
            except Exception as error:
                # Whatever it was: the mail is durable and owed, so the only way on is to try again.
                self._note(error)
            else:
                self.messages += 1
                self.problem = ""
                return
            await self._pause(wait)
            wait = min(2 * wait, longest)

    async def _pause(self, seconds: float) -> None:
        """Until it is worth another try."""
        self._retry.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self._retry.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _note(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"
        if problem != self.problem:
            self.problem = problem
            log.warning("publisher_waits", reason=problem, backlog=self.backlog)

    async def _prepare(self) -> None:
        wait, longest = _BACKOFF
        while True:
            try:
                await self._bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
                break
            except BusError as error:
                self._note(error)
            await self._pause(wait)
            wait = min(2 * wait, longest)
        self.problem = ""
        self._ready.set()
        self._pump()

    async def _read(self, item: Unpublished) -> None:
        """Replace the head of the queue by mails read from its pack, slice after slice."""
        try:
            end = item.end
            mails, onward = await asyncio.to_thread(read_slice, self._root, item.pack, item.start, end)
        except JournalError as error:
            # The pack is gone or unreadable as a whole; the reconciler reports what it owed.
            log.warning("publisher_lost_pack", pack=item.pack, start=item.start, end=item.end, error=str(error))
            mails, onward = [], end
        except OSError as error:
            self._note(error)
            self._reading = None
            self._queue.popleft()  # those behind it need not wait
            self._tasks.append(asyncio.get_running_loop().create_task(self._try_later(item)))
            self._pump()
            return
        start, item.start = item.start, onward
        self._reading = None
        if item.start >= item.end:
            self._queue.popleft()
        if mails:
            if item.pack.partition("/")[0] in self._inherited:
                self.backlog += len(mails)
            size = sum([len(mail.head) for mail in mails])
            self._memory += size
            self._queue.appendleft(_Batch(item.pack, start, onward, mails, size))
        elif onward > start:
            self._finish(item.pack, start, onward)
        self._pump()

    async def _try_later(self, item: Unpublished) -> None:
        await self._clock.sleep(RECOVER_EVERY)
        self._idle.clear()
        self._queue.append(item)
        self._pump()

    async def _recover(self) -> None:
        while True:
            try:
                for found in await asyncio.to_thread(inherit, self._root, self._journal.writer, self._device):
                    self._take_over(found)
            except Exception:
                log.exception("journal_recovery_failed")
            await self._clock.sleep(RECOVER_EVERY)

    def _take_over(self, found: Inheritance) -> None:
        for note in found.notes:
            log.warning("journal_recovered", note=note)
        if not found.unpublished:
            return
        self._inherited[found.folder.name] = found.folder
        self._idle.clear()
        for unpublished in found.unpublished:
            self._cursors.begin(unpublished.pack, unpublished.start, unpublished.end)
            self._queue.append(unpublished)
        self._pump()

    def _finish(self, pack: str, start: int, end: int) -> None:
        self._cursors.finish(pack, start, end)
        name = pack.partition("/")[0]
        if name in self._inherited and self._cursors.is_done(name):
            self._cursors.write()
            self._cursors.forget(name)
            self._inherited.pop(name).release()

    async def _keep_cursors(self) -> None:
        while True:
            await self._clock.sleep(CURSOR_EVERY)
            self._cursors.write()
