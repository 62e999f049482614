"""Counters that replicas share over the bus: counting is local, and what has grown is told once in EXCHANGE seconds.

How far a limit may be passed: by what the others have let through and not told yet, at most what each lets through in
EXCHANGE seconds. While the bus is away each replica counts by itself, so N of them let N times as much through, and
know of it once it is back. A process that starts asks the others for all that they know; if all end at once, what they
counted is forgotten: these are limits against floods, not accounts of anything.
"""

import asyncio
from collections.abc import Iterable

from barid_contracts.rates import RATES_TOLD, RATES_WANTED, RateCount, RatesTold, RatesWanted

from ..bus.port import Bus, BusError
from ..bus.typed import announce, listen
from ..clock import Clock
from ..logging import get_logger
from .sliding import Count, Sliding

EXCHANGE = 1.0
"""Seconds. A replica that lets a hundred mails a second through tells of them in one message of some KB."""

TOLD_MOST = 1000
"""Counts of one message: 100 KB."""

log = get_logger("rates")


class SharedRates:
    """name: whose counters these are; all who call them so share them. writer: of this incarnation."""

    def __init__(self, name: str, writer: str, bus: Bus, clock: Clock) -> None:
        self._name = name
        self._bus = bus
        self._clock = clock
        self._sliding = Sliding(writer)
        self._telling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Before the bus connects, or after."""
        await listen(self._bus, RATES_TOLD, self._on_told)
        await listen(self._bus, RATES_WANTED, self._on_wanted)
        self._bus.on_reconnect(self._catch_up)
        if self._bus.connected:
            await self._catch_up()
        self._telling = asyncio.get_running_loop().create_task(self._keep_telling(), name="rates")

    async def close(self) -> None:
        """Before the bus is closed: tells the last."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            await self._tell_changes()

    def take(self, wants: Iterable[tuple[str, int, int]]) -> str | None:
        """As `Sliding.take`. 1 µs a key."""
        return self._sliding.take(wants, self._clock.now())

    def rate(self, key: str) -> float:
        return self._sliding.rate(key, self._clock.now())

    async def _keep_telling(self) -> None:
        while True:
            await self._clock.sleep(EXCHANGE)
            await self._tell_changes()

    async def _tell_changes(self) -> None:
        await self._tell([self._sliding.changes()])

    async def _tell(self, found: Iterable[tuple[int, list[Count]]]) -> None:
        try:
            for period, counts in found:
                for start in range(0, len(counts), TOLD_MOST):
                    part = [
                        RateCount(key=count.key, writer=count.writer, count=count.many)
                        for count in counts[start : start + TOLD_MOST]
                    ]
                    await announce(self._bus, RATES_TOLD, RatesTold(name=self._name, period=period, rates=part))
        except BusError as error:
            # Counts are whole, not what was added: the next time they are told heals it, and a reconnect tells all.
            log.debug("rates are not told", error=str(error))

    async def _catch_up(self) -> None:
        """Ours to them, theirs to us."""
        await self._tell(self._sliding.all(self._clock.now()))
        try:
            await announce(self._bus, RATES_WANTED, RatesWanted(name=self._name))
        except BusError as error:
            log.debug("rates are not asked for", error=str(error))

    async def _on_told(self, told: RatesTold) -> None:
        if told.name == self._name:
            now = self._clock.now()
            for rate in told.rates:
                self._sliding.merge(told.period, Count(rate.key, rate.writer, rate.count), now)

    async def _on_wanted(self, wanted: RatesWanted) -> None:
        if wanted.name == self._name:
            await self._tell(self._sliding.all(self._clock.now()))
