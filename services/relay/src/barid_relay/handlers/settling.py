"""After an attempt: what is written down, who is told, what is counted and logged."""

import asyncio
from collections.abc import Callable, Sequence

from barid_contracts.queue import CAPTURED, Captured
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import announce
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.journal.port import BodyReader, JournalError
from barid_runtime.logging import get_logger

from ..policy.notices import MOST_HEADER, Composer, header_block
from ..policy.schedule import Schedule
from ..ports.doors import Outbox
from ..ports.hosts import Answer, Fate
from ..ports.queue import Notices, Parcel, Queue, Result, Settled
from .meters import Meters

_PAUSES = (0.1, 5.0)
"""Seconds of the first and the longest wait while the database can't write an outcome."""

log = get_logger("relay")


class Settling:
    def __init__(
        self,
        queue: Queue,
        bodies: BodyReader,
        outbox: Outbox,
        bus: Bus,
        clock: Clock,
        schedule: Schedule,
        hostname: str,
        meters: Meters,
        deferred: Callable[[int], None],
    ) -> None:
        """deferred: told when a row will be due (epoch ms)."""
        self._queue = queue
        self._bodies = bodies
        self._outbox = outbox
        self._bus = bus
        self._clock = clock
        self._schedule = schedule
        self._hostname = hostname
        self._meters = meters
        self._deferred = deferred
        self.problem = "ok"

    async def answers(self, parcel: Parcel, answers: Sequence[Answer]) -> None:
        """One answer per recipient of the parcel."""
        now = self._now()
        judge = self._schedule.judge
        pairs = zip(parcel.recipients, answers, strict=True)
        await self._settle(parcel, [judge(parcel, recipient, answer, now) for recipient, answer in pairs])

    async def crashed(self, parcel: Parcel, error: BaseException) -> None:
        """Our code failed on this mail: count it, and hold it when it is too often."""
        text = f"fault of the relay: {type(error).__name__}"
        now = self._now()
        await self._settle(parcel, [self._schedule.after_crash(each, text, now) for each in parcel.recipients])

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    async def _settle(self, parcel: Parcel, results: Sequence[Result]) -> None:
        compose: Callable[[Sequence[Result]], Notices] = _nothing
        if parcel.reverse_path and any(result.fate is Fate.BOUNCED or result.warn for result in results):
            header = await self._header(parcel)
            compose = Composer(self._hostname, self._schedule, parcel, header, int(self._clock.now()))
        settled = await self._write(parcel, results, compose)
        if settled.notices.failed or settled.notices.delayed:
            self._meters.notices.inc(sum(1 for each in (settled.notices.failed, settled.notices.delayed) if each))
            self._outbox.notify()
        if len(settled.results) < len(results):
            self._meters.lost_leases.inc(len(results) - len(settled.results))
            log.warning("lease lost", mail_id=parcel.mail_id, recipients=len(results) - len(settled.results))
        self._tell(parcel, settled)
        if settled.captured:
            await announce(self._bus, CAPTURED, Captured(items=list(settled.captured)))

    async def _write(
        self, parcel: Parcel, results: Sequence[Result], compose: Callable[[Sequence[Result]], Notices]
    ) -> Settled:
        """Until it is written: an outcome that is forgotten is a mail sent twice. The epoch makes a repeat harmless."""
        pause, longest = _PAUSES
        while True:
            try:
                settled = await self._queue.settle(parcel, results, self._now(), compose)
            except DatabaseError as error:
                self.problem = str(error)
                log.error("outcome not written yet", mail_id=parcel.mail_id, error=str(error))  # noqa: TRY400
                # The loop's time: nothing here depends on what time it is.
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                self.problem = "ok"
                return settled

    async def _header(self, parcel: Parcel) -> bytes:
        """The header block with our trace; none if the body is lost: the sender hears of the failure anyway."""
        start = bytearray()
        try:
            async for chunk in self._bodies.stream(parcel.ref, 0, min(MOST_HEADER, parcel.ref.size)):
                start += chunk
                if b"\r\n\r\n" in start:
                    break
        except JournalError as error:
            log.error("header unreadable", mail_id=parcel.mail_id, error=str(error))  # noqa: TRY400
        return parcel.trace.encode("latin-1") + header_block(bytes(start))

    def _tell(self, parcel: Parcel, settled: Settled) -> None:
        """A line per mail and kind of end, not per recipient: a list may have thousands."""
        groups: dict[tuple[Fate, str], list[int]] = {}
        for result in settled.results:
            if result.fate is Fate.DEFERRED:
                self._deferred(result.due)
            self._meters.outcomes[result.fate].inc()
            groups.setdefault((result.fate, result.answer.text), []).append(result.recipient.n)
        for (fate, text), numbers in groups.items():
            write = log.info if fate in (Fate.RELAYED, Fate.CAPTURED) else log.warning
            write(fate.value, mail_id=parcel.mail_id, n=numbers, said=text)


def _nothing(results: Sequence[Result]) -> Notices:
    return Notices()
