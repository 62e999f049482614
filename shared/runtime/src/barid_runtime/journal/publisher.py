"""The publisher: tells the bus of every durable mail that is owed to somebody. Every journal has one, for it also takes
over the packs of the dead and keeps the cursor without which no pack is ever closed.

It hears each batch from the journal of its own process, and at start (and every RECOVER_EVERY) takes over what dead
incarnations of the same service left unpublished. One message a batch and kind; a cursor per pack follows the bus's
acknowledgements. A crash between the two publishes again, and every consumer is keyed by `(mail_id, n)`: nothing
changes.

While the bus is away it tries for ever (telling.py), and keeps a bounded part of what waits in memory (backlog.py).
When idle a batch goes at once; under load messages gather (pace.py).
"""

import asyncio
import contextlib
from collections.abc import Sequence

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE

from .. import tracing
from ..bus.port import Bus
from ..clock import Clock, SystemClock
from ..logging import get_logger
from . import record
from .backlog import MEMORY, Backlog, Batch
from .batch import Committed, CommittedMail
from .events import payloads
from .followed import Followed
from .inheritance import Inheritance, InheritedFolder, Unpublished
from .pace import GATHER, Pace
from .port import JournalError
from .telling import Telling

RECOVER_EVERY = 60.0
"""Seconds between looks for siblings that died."""

CURSOR_EVERY = 1.0
"""Seconds between writings of the cursor: what a crash repeats is a second's mail, and a repeat is harmless."""

log = get_logger("journal.publisher")


class Publisher:
    """Make it before the first append, so that it hears every batch.

    memory, gather: see backlog.py and pace.py. owes: whether this service's mails are owed to anybody; if not
    (uploads), it makes no stream and needs no leave to.
    """

    def __init__(
        self,
        journal: Followed,
        bus: Bus,
        clock: Clock | None = None,
        *,
        owes: bool = True,
        memory: int = MEMORY,
        gather: float = GATHER,
    ) -> None:
        self._journal = journal
        self._bus = bus
        self._clock = clock or SystemClock()
        self._queue = Backlog(memory)
        self._pace = Pace(gather)
        self._gathering: asyncio.TimerHandle | None = None
        self._flying: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._cursors = journal.cursors
        self._inherited: dict[str, InheritedFolder] = {}
        self._tasks: list[asyncio.Task[None]] = []
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
        self._telling = Telling(bus, self._clock, lambda: self.backlog)
        journal.listen(self._on_commit)

    @property
    def messages(self) -> int:
        """Those that the published mails took."""
        return self._telling.messages

    @property
    def problem(self) -> str:
        """Why nothing is published just now; for the log and the trace, not for readiness: mail is accepted anyway."""
        return self._telling.problem

    async def start(self) -> None:
        """The bus may be away. Raises ObjectsRefused where a bucket is not ours to write."""
        await self._journal.probe()
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
        if self._gathering is not None:
            self._gathering.cancel()
        tasks = [*self._tasks, *[task for task in (self._flying, self._reading) if task is not None]]
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
        self._queue.add(committed, size)
        self._pump()

    def _pump(self) -> None:
        """Send what may be sent, one message at a time: the next ones gather behind the one that is under way, as
        appends do behind a running sync. Order is kept per pack as far as the bus's answers go; nobody relies on it."""
        if self._flying is not None or self._reading is not None:
            return
        if not self._queue:
            self._idle.set()
            return
        if not self._ready.is_set():
            return
        loop = asyncio.get_running_loop()
        head = self._queue.head
        if isinstance(head, Unpublished):
            self._reading = loop.create_task(self._read(head), name="publisher-read")
            return
        now = loop.time()
        wait = self._pace.wait(now, self._queue.waiting)
        if wait > 0:
            self._gathering = self._gathering or loop.call_later(wait, self._gathered)
            return
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        batch = self._queue.take()
        self._pace.sent(now, len(batch.mails))
        self._flying = loop.create_task(self._send(batch))
        self._flying.add_done_callback(self._landed)

    def _gathered(self) -> None:
        self._gathering = None
        self._pump()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("publisher_failed", error=repr(error))
        if not self._closed or not task.cancelled():
            self._pump()

    async def _send(self, batch: Batch) -> None:
        local = [mail for mail in batch.mails if mail.accounts]
        remote = [mail for mail in batch.mails if mail.remotes]
        owed = len(local) if not remote else sum(1 for mail in batch.mails if mail.accounts or mail.remotes)
        for event, mails in ((ACCEPTED_LOCAL, local), (ACCEPTED_REMOTE, remote)):
            if not mails:
                continue
            steps = self._begin(mails) if tracing.door is not None else []
            traces = tracing.header_of(steps)
            for part, payload in enumerate(payloads([record.splice_ref(mail.head, mail.ref) for mail in mails])):
                name = f"{event.subject}/{batch.pack}/{batch.start}-{batch.end}.{part}"
                await self._telling.publish(event.subject, payload, name, traces)
            for step in steps:
                step.end(subject=event.subject, pack=batch.pack)
        self._queue.told(batch)
        self.backlog -= owed
        self.published += owed
        self._finish(batch.pack, batch.start, batch.end)

    def _begin(self, mails: Sequence[CommittedMail]) -> list[tracing.Step]:
        door = tracing.door
        assert door is not None
        begun = [door.begin(self._journal.writer, "journal.publish", mail.mail_id) for mail in mails]
        return [step for step in begun if step is not None]

    async def _prepare(self) -> None:
        await self._telling.prepare()
        self._ready.set()
        self._pump()

    async def _read(self, item: Unpublished) -> None:
        """Replace the head of the queue by mails read from its pack, slice after slice."""
        try:
            end = item.end
            mails, onward = await asyncio.to_thread(self._journal.read_slice, item.pack, item.start, end)
        except JournalError as error:
            # The pack is gone or unreadable as a whole; the reconciler reports what it owed.
            log.warning("publisher_lost_pack", pack=item.pack, start=item.start, end=item.end, error=str(error))
            mails, onward = [], end
        except OSError as error:
            self._telling.note(error)
            self._reading = None
            self._queue.drop_head()  # those behind it need not wait
            self._tasks.append(asyncio.get_running_loop().create_task(self._try_later(item)))
            self._pump()
            return
        start, item.start = item.start, onward
        self._reading = None
        if item.start >= item.end:
            self._queue.drop_head()
        if mails:
            if item.pack.partition("/")[0] in self._inherited:
                self.backlog += len(mails)
            self._queue.put_first(item.pack, start, onward, mails)
        elif onward > start:
            self._finish(item.pack, start, onward)
        self._pump()

    async def _try_later(self, item: Unpublished) -> None:
        await self._clock.sleep(RECOVER_EVERY)
        self._idle.clear()
        self._queue.add_stretch(item)
        self._pump()

    async def _recover(self) -> None:
        while True:
            try:
                for found in await asyncio.to_thread(self._journal.inherit):
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
            self._queue.add_stretch(unpublished)
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
