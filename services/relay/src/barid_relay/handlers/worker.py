"""One worker: takes due rows of one destination in batches, delivers mail by mail, writes each outcome at once.

What it has leased is its own for some time, which it reckons from before it asked, by a clock that goes on while the
process stands still. When that time may be over (the process was stopped, the database is away) it begins no mail and
ends none, but asks first. So another relay sends the same mail only if this one is stopped between the final dot and
the commit; and whose outcome counts is decided by the epoch, whatever clocks say.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic, time_ns

from barid_runtime import tracing
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.hosts import Answer, DialFailed, Fate, TurnedAway, Withdrawn
from ..ports.queue import Parcel, Queue
from . import steps
from .delivery import Line
from .settling import Settling

BATCH = 100
"""Recipients leased at a time, so also the most of one transaction: what every host takes (RFC 5321 §4.5.3.1.8)."""

log = get_logger("relay.worker")


class Worker:
    """`run` ends when nothing is due any more, when the destination can't be reached, or when `stop` is set."""

    def __init__(
        self,
        destination: str,
        queue: Queue,
        line: Line,
        settling: Settling,
        clock: Clock,
        *,
        lease_seconds: float,
        more: Callable[[], None],
        yields: Callable[[], bool],
    ) -> None:
        """more: called when a batch was full, so another worker may help. yields: whether others wait for our place."""
        self._destination = destination
        self._queue = queue
        self._line = line
        self._settling = settling
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._more = more
        self._yields = yields
        self._in_hand: dict[int, Parcel] = {}
        self._dialled: dict[int, int] = {}
        self._ours_until = 0.0
        self.stopping = False
        self.failed: Answer | None = None
        """Why the destination could not be reached, if that is how it ended."""
        self.left = False
        """There may be more, but it was others' turn."""

    async def run(self) -> None:
        renewing = asyncio.get_running_loop().create_task(self._keep())
        try:
            while not self.stopping:
                batch = await self._lease()
                if not batch:
                    return
                await self._work_off(batch)
                if self.failed is not None:
                    return
                if self._yields():
                    self.left = True
                    return
        except DatabaseError as error:
            # What is leased comes back when its time has passed.
            log.warning("queue unavailable", destination=self._destination, error=str(error))
            self.left = True
        finally:
            renewing.cancel()
            await self._end()

    async def _lease(self) -> list[Parcel]:
        now = int(self._clock.now() * 1000)
        asked = monotonic()
        batch = await self._queue.lease(self._destination, now, BATCH, self._lease_seconds)
        self._ours_until = asked + self._lease_seconds
        self._in_hand = {parcel.row: parcel for parcel in batch}
        if sum(len(parcel.recipients) for parcel in batch) == BATCH:
            self._more()
        return batch

    async def _work_off(self, batch: list[Parcel]) -> None:
        for k, parcel in enumerate(batch):
            if self.stopping:
                return
            if monotonic() >= self._ours_until:
                await self._renew()
            if parcel.row not in self._in_hand:
                continue
            try:
                await self._settle(parcel, lambda parcel: self._line.deliver(parcel, lambda: self._is_ours(parcel)))
            except TurnedAway as turned_away:
                # The rest is given back as it was: those that were tried are due later, so others are first next time.
                self.failed = turned_away.answer
                return
            except DialFailed as failed:
                await self._all_alike([each for each in batch[k:] if each.row in self._in_hand], failed.answer)
                return
            except Withdrawn:
                log.warning("not sent to its end, as it may be another's now", mail_id=parcel.mail_id)
                await self._let_go([parcel])

    def _is_ours(self, parcel: Parcel) -> bool:
        return parcel.row in self._in_hand and monotonic() < self._ours_until

    async def _all_alike(self, parcels: list[Parcel], answer: Answer) -> None:
        """A destination that lets nobody in is asked once for the whole batch, whose outcomes share a commit."""
        if answer.fate is Fate.DEFERRED:
            self.failed = answer

        async def same(parcel: Parcel) -> list[Answer]:
            return [answer] * len(parcel.recipients)

        await asyncio.gather(*[self._settle(parcel, same) for parcel in parcels])

    async def _settle(self, parcel: Parcel, answers: Callable[[Parcel], Awaitable[list[Answer]]]) -> None:
        """Find the answers and write them down. Raises DialFailed, Withdrawn and DatabaseError; what else goes wrong is
        counted against the mail."""
        began = self._dialled.pop(parcel.row, 0) or (time_ns() if tracing.door is not None else 0)
        found: list[Answer] = []
        try:
            found = await answers(parcel)
            await self._settling.answers(parcel, found)
        except DialFailed:
            # Its answer is for all of the batch, and is written down at once.
            self._dialled[parcel.row] = began
            raise
        except (Withdrawn, DatabaseError):
            raise
        except Exception as error:
            log.exception("delivery failed", mail_id=parcel.mail_id, destination=self._destination)
            await self._settling.crashed(parcel, error)
        if began:
            steps.attempted(parcel, found, began)
        self._in_hand.pop(parcel.row, None)

    async def _renew(self) -> None:
        """Hold what we have in hand for another time, and drop what is another's by now. Raises DatabaseError."""
        parcels = list(self._in_hand.values())
        asked = monotonic()
        ours = await self._queue.renew(parcels, self._lease_seconds) if parcels else set()
        self._ours_until = asked + self._lease_seconds
        lost = [each for each in parcels if not all((each.row, one.n) in ours for one in each.recipients)]
        # What was settled while we asked is not in hand any more.
        lost = [parcel for parcel in lost if parcel.row in self._in_hand]
        if lost:
            log.warning("leases lost", mail_ids=[parcel.mail_id for parcel in lost[:10]], mails=len(lost))
            await self._let_go(lost)

    async def _let_go(self, parcels: list[Parcel]) -> None:
        """Of a mail that is another's in part, the rest is anybody's."""
        for parcel in parcels:
            self._in_hand.pop(parcel.row, None)
        await self._queue.give_back(parcels)

    async def _keep(self) -> None:
        """The event loop's time: leases are measured by real time, not by the injected clock."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            with contextlib.suppress(DatabaseError):
                await self._renew()

    async def _end(self) -> None:
        with contextlib.suppress(DatabaseError):
            if self._in_hand:
                await self._queue.give_back(list(self._in_hand.values()))
        await self._line.close(keep=not self.stopping)
