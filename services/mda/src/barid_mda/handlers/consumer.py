"""Takes batches from the bus and sees them settled: several groups at once, each kept ours by heartbeats.

When idle, a message is taken the moment it is there. Under load, while a group is being settled, messages are let come
together for some milliseconds first: one request for many costs a third of a request for each.
"""

import asyncio
from collections.abc import Iterable

from barid_runtime.bus.port import BusError, Consumer, Delivery
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger

from .patience import Abandoned, Patience
from .settling import Settling

ACK_WAIT = 5.0
"""Seconds after which the bus gives a message to somebody else, unless it hears from us: so long a mail waits when a
process was killed. Too short costs a settlement that is answered `repeated`, never a second copy."""

HEARTBEAT = ACK_WAIT / 3
"""Seconds between heartbeats: one may be lost."""

FETCH = 32
"""Messages taken at once; each is a batch of its own, of one mail when idle and of dozens under load. With their number
their memory is bounded: a batch has up to 700 KB, as a rule 100."""

FETCH_WAIT = 5.0
"""Seconds that one fetch may find nothing; it costs a pull request."""

SUSPECT_AFTER = 10
"""Deliveries of one message after which one of its mails may be what ends the process each time. Outages and restarts
also make deliveries, so it is no proof; being suspected only costs speed."""

RETRY_PAUSE = 2.0
"""Seconds before a message comes again of which a mail failed; times its deliveries so far, up to a minute."""

MOST_RETRY_PAUSE = 60.0

DRAIN_SECONDS = 10.0
"""Seconds that groups under way get when we close."""

log = get_logger("barid.mda")


class Consuming:
    """Runs from `start` to `drain`."""

    def __init__(
        self, consumer: Consumer, settling: Settling, patience: Patience, clock: Clock, *, batches: int, gather: float
    ) -> None:
        self._consumer = consumer
        self._settling = settling
        self._patience = patience
        self._clock = clock
        self._gather = gather
        self._slots = asyncio.Semaphore(batches)
        self._in_hand: set[Delivery] = set()
        self._groups: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._loops = [loop.create_task(self._take(), name="mda take"), loop.create_task(self._beat(), name="mda beat")]

    async def drain(self) -> None:
        """Take no more. Groups under way are finished, unless what they wait for is down; then the bus keeps them."""
        if not self._loops:
            return
        taking, beating = self._loops
        self._loops = []
        await _ended([taking])
        self._patience.close()
        if self._groups:
            _, late = await asyncio.wait(self._groups, timeout=DRAIN_SECONDS)
            await _ended(late)
        await _ended([beating])

    async def _take(self) -> None:
        while True:
            await self._patience.wait_until_well()
            await self._slots.acquire()
            taken: list[Delivery] = []
            try:
                if self._groups and self._gather:
                    await self._clock.sleep(self._gather)
                taken = await self._consumer.fetch(FETCH, FETCH_WAIT)
            except BusError as error:
                log.warning("nothing to take", error=str(error))
                await self._clock.sleep(1.0)
            finally:
                if not taken:
                    self._slots.release()
            if taken:
                self._in_hand.update(taken)
                task = asyncio.get_running_loop().create_task(self._settle(taken))
                self._groups.add(task)
                task.add_done_callback(self._groups.discard)

    async def _settle(self, taken: list[Delivery]) -> None:
        again: Iterable[Delivery] = taken
        pause = RETRY_PAUSE
        try:
            suspects = [delivery for delivery in taken if delivery.attempt > SUSPECT_AFTER]
            if suspects:
                again = await self._settle_apart(suspects, [d for d in taken if d not in suspects])
            else:
                again = await self._settling.settle(taken)
        except Abandoned:
            log.info("left to the bus", messages=len(taken))
            pause = 0.0
        except Exception:
            # Whatever it was, it is not known whose fault, so the bus brings all of it again, and in the end alone.
            log.exception("settling failed", messages=len(taken))
        finally:
            self._slots.release()
            self._in_hand.difference_update(taken)
            await self._answer(taken, set(again), pause)

    async def _settle_apart(self, suspects: list[Delivery], others: list[Delivery]) -> list[Delivery]:
        again = await self._settling.settle(others) if others else []
        for suspect in suspects:
            log.warning("message delivered often", deliveries=suspect.attempt)
            if await self._settling.single_out(suspect):
                again.append(suspect)
        return again

    async def _answer(self, taken: list[Delivery], again: set[Delivery], pause: float) -> None:
        """What can't be said now is said by silence: the message comes again, and finds its obligations settled."""
        try:
            for delivery in taken:
                if delivery in again:
                    await delivery.nak(min(pause * delivery.attempt, MOST_RETRY_PAUSE))
                else:
                    await delivery.ack()
        except BusError as error:
            log.warning("not acknowledged", error=str(error))

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            try:
                for delivery in list(self._in_hand):
                    await delivery.in_progress()
            except BusError as error:
                log.warning("no heartbeat", error=str(error))


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
