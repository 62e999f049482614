"""Wrong passwords, counted for all replicas together (policy/guessing.py), and bans as operators see them.

Guesses that run side by side would be counted too late, so a network has AT_ONCE of them looked at in this process; the
others wait for their turn. With N replicas a network may so fail N * AT_ONCE - 1 times more than it should.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from barid_contracts.base import Empty
from barid_contracts.directory import Ban, BanLift, BanList
from barid_runtime.bus.port import OperationFailed
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of, range_of

from ..policy import guessing
from ..policy.addresses import canonical
from ..policy.guessing import NOTHING, Limits
from ..ports import Failures, Subject, Tally
from . import measures

log = get_logger("barid.directory")

AT_ONCE = 8
"""Log-ins of one network in hand: more than are hashed at a time, so an office that comes back is not slower for it."""

MOST_WAITING = 120
"""Log-ins of one network that wait for their turn. With those in hand half of what this process answers at a time: the
other half is for everybody else."""

FORGET_SECONDS = 300.0

MOST_LISTED = 1000
"""Bans, the longest first."""


class _Queue:
    __slots__ = ("room", "waiting")

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0


class Guesses:
    """most: failures of a network in WINDOW before it waits."""

    def __init__(self, failures: Failures, clock: Clock, most: int) -> None:
        self._failures = failures
        self._clock = clock
        self._most = most
        self._queues: dict[str, _Queue] = {}

    def limits(self, ip: str, login: str) -> Limits:
        return guessing.limits_of(network_of(ip), range_of(ip), canonical(login), self._most)

    @asynccontextmanager
    async def turn(self, ip: str) -> AsyncIterator[None]:
        """Raises OperationFailed if too many wait."""
        network = network_of(ip)
        queue = self._queues.setdefault(network, _Queue())
        if queue.waiting >= MOST_WAITING + AT_ONCE:
            raise OperationFailed("unavailable", "too many log-ins at once from one network")
        queue.waiting += 1
        try:
            async with queue.room:
                yield
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                del self._queues[network]

    async def look(self, limits: Limits) -> tuple[dict[Subject, Tally], Subject | None, float]:
        """What is counted; whoever waits longest, and for how many seconds: None and 0 if the log-in is to be tried."""
        tallies = await self._failures.look(limits)
        now = self._clock.now()
        longest = max(limits, key=lambda each: guessing.waits(tallies.get(each, NOTHING), now))
        seconds = guessing.waits(tallies.get(longest, NOTHING), now)
        return tallies, longest if seconds else None, seconds

    async def failed(self, limits: Limits) -> float:
        """Count one; the seconds that its answer should wait."""
        now = self._clock.now()

        def judge(tallies: Mapping[Subject, Tally]) -> Mapping[Subject, Tally]:
            return {each: guessing.failed(tally, now, limits[each]) for each, tally in tallies.items()}

        tallies = await self._failures.count(limits, judge)
        for subject, tally in tallies.items():
            if tally.bans and not tally.score:
                measures.bans.inc()
                log.warning(
                    "too many failed log-ins",
                    network=subject.network,
                    login=subject.login or None,
                    bans=tally.bans,
                    seconds=round(guessing.waits(tally, now)),
                )
        # Not the range's: neighbours of a guesser need not wait for their slips.
        network = next(iter(limits)).network
        return max(guessing.delay(tallies[each], limits[each]) for each in limits if each.network == network)

    async def succeeded(self, limits: Limits, tallies: Mapping[Subject, Tally]) -> None:
        """Its failures were the owner's, who found the password in the end: they are taken off its network's count.
        Only these: else whoever has an account could wash off his guesses at others'."""
        own = next((each for each in limits if each.login), None)
        if own is None or not tallies.get(own, NOTHING).score:
            return
        now = self._clock.now()

        def judge(found: Mapping[Subject, Tally]) -> Mapping[Subject, Tally]:
            failures = guessing.faded(found[own], now, limits[own]).score
            judged = {each: guessing.forgiven(tally, failures, now, limits[each]) for each, tally in found.items()}
            return judged | {own: NOTHING}

        await self._failures.count(limits, judge)

    async def keep_forgetting(self) -> None:
        while True:
            await self._clock.sleep(FORGET_SECONDS)
            try:
                await self._failures.forget(self._clock.now())
            except DatabaseError as error:
                log.warning("old failures are not forgotten", error=str(error))

    async def bans(self, request: Empty) -> BanList:
        found = await self._failures.banned(self._clock.now(), MOST_LISTED)
        return BanList(
            bans=[
                Ban(
                    network=each.subject.network,
                    login=each.subject.login or None,
                    count=each.bans,
                    until_ms=int(each.until * 1000),
                )
                for each in found
            ]
        )

    async def lift(self, request: BanLift) -> Empty:
        login = ""
        if request.login is not None:
            login = canonical(request.login) or ""
            if not login:
                raise OperationFailed("invalid", f"{request.login} is no address")
        # Any spelling of an address in it, and the name of a network or range as it is told.
        network = request.network if "/" in request.network else network_of(request.network) or request.network
        if not await self._failures.lift(Subject(network, login)):
            raise OperationFailed("not_found", "nothing is counted against it")
        log.info("ban lifted", network=network, login=login or None)
        return Empty()
