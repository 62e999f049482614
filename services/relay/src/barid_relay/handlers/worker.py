"""One worker: takes due rows of one destination in batches, delivers mail by mail, writes each outcome at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.hosts import Answer, DialFailed, Fate, TurnedAway
from ..ports.queue import Parcel, Queue
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
        self._in_hand: list[Parcel] = []
        self.stopping = False
        self.failed: Answer | None = None
        """Why the destination could not be reached, if that is how it ended."""
        self.left = False
        """There may be more, but it was others' turn."""

    async def run(self) -> None:
        renewing = asyncio.get_running_loop().create_task(self._renew())
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
        batch = await self._queue.lease(self._destination, now, BATCH, self._lease_seconds)
        self._in_hand = list(batch)
        if sum(len(parcel.recipients) for parcel in batch) == BATCH:
            self._more()
        return batch

    async def _work_off(self, batch: list[Parcel]) -> None:
        for k, parcel in enumerate(batch):
            if self.stopping:
                return
            try:
                await self._settle(parcel, self._line.deliver)
            except TurnedAway as turned_away:
                # The rest is given back as it was: those that were tried are due later, so others are first next time.
                self.failed = turned_away.answer
                return
            except DialFailed as failed:
                await self._all_alike(batch[k:], failed.answer)
                return

    async def _all_alike(self, parcels: list[Parcel], answer: Answer) -> None:
        """A destination that lets nobody in is asked once for the whole batch, whose outcomes share a commit."""
        if answer.fate is Fate.DEFERRED:
            self.failed = answer

        async def same(parcel: Parcel) -> list[Answer]:
            return [answer] * len(parcel.recipients)

        await asyncio.gather(*[self._settle(parcel, same) for parcel in parcels])

    async def _settle(self, parcel: Parcel, answers: Callable[[Parcel], Awaitable[list[Answer]]]) -> None:
        """Find the answers and write them down. Raises DialFailed and DatabaseError; what else goes wrong is counted
        against the mail."""
        try:
            await self._settling.answers(parcel, await answers(parcel))
        except (DialFailed, DatabaseError):
            raise
        except Exception as error:
            log.exception("delivery failed", mail_id=parcel.mail_id, destination=self._destination)
            await self._settling.crashed(parcel, error)
        self._in_hand.remove(parcel)

    async def _renew(self) -> None:
        """The event loop's time: leases are measured by real time, not by the injected clock."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            with contextlib.suppress(DatabaseError):
                if self._in_hand:
                    await self._queue.renew(self._in_hand, self._lease_seconds)

    async def _end(self) -> None:
        with contextlib.suppress(DatabaseError):
            if self._in_hand:
                await self._queue.give_back(self._in_hand)
        await self._line.close(keep=not self.stopping)
