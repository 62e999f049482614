"""The queue of record in tables."""

from collections.abc import Callable, Sequence
from typing import Literal

from barid_contracts.mail import Key
from barid_contracts.queue import CapturedPage, QueuePage
from barid_contracts.trace import TraceStep
from barid_runtime.clock import Clock
from barid_runtime.database.port import Database

from ...ports.queue import Compose, Depth, NewMail, Parcel, Result, Settled
from . import desk, intake, leases, restored, settling


class TableQueue:
    """A Queue. owner: who leases. Reads that walk many rows are heavy, so not on the loop."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner

    async def recover(self, destination: Callable[[str], str]) -> int:
        now = int(self._clock.now() * 1000)
        ended = await self._database.write(lambda cursor: intake.end_leases(cursor, now))
        pairs = await self._database.read(intake.gathered, heavy=True)
        for change in intake.moved(pairs, destination):
            # A slice at a time: who settles one of these rows waits for it.
            while await self._database.write(lambda cursor, change=change: intake.regather(cursor, *change)):  # type: ignore[misc]
                pass
        return ended

    async def restored_at(self) -> int:
        return await self._database.read(restored.restored_at)

    async def enqueue(self, mails: Sequence[NewMail]) -> int:
        now = int(self._clock.now() * 1000)
        if any(mail.uncertain for mail in mails):
            return await self._database.write(lambda cursor: restored.enqueue(cursor, mails, now))
        return await self._database.write(lambda cursor: intake.enqueue(cursor, mails, now))

    async def lease(self, destination: str, now: int, limit: int, seconds: float) -> list[Parcel]:
        return await self._database.write(
            lambda cursor: leases.lease(cursor, destination, now, limit, self._owner, seconds)
        )

    async def lease_keys(self, keys: Sequence[Key], seconds: float) -> list[Parcel]:
        return await self._database.write(lambda cursor: leases.lease_keys(cursor, keys, self._owner, seconds))

    async def renew(self, parcels: Sequence[Parcel], seconds: float) -> set[tuple[int, int]]:
        return await self._database.write(lambda cursor: leases.renew(cursor, parcels, seconds))

    async def give_back(self, parcels: Sequence[Parcel]) -> None:
        await self._database.write(lambda cursor: leases.give_back(cursor, parcels))

    async def settle(self, parcel: Parcel, results: Sequence[Result], now: int, compose: Compose) -> Settled:
        return await self._database.write(lambda cursor: settling.settle(cursor, parcel, results, now, compose))

    async def due(self, now: int) -> tuple[set[str], int | None]:
        return await self._database.read(lambda cursor: leases.due(cursor, now), heavy=True)

    async def depth(self, now: int) -> Depth:
        return await self._database.read(lambda cursor: desk.depth(cursor, now), heavy=True)

    async def missing(self, keys: Sequence[Key]) -> list[Key]:
        return await self._database.read(lambda cursor: intake.missing(cursor, keys), heavy=len(keys) > 100)

    async def referenced(self, packs: Sequence[str]) -> list[str]:
        return await self._database.read(lambda cursor: intake.referenced(cursor, packs))

    async def page(self, after: str | None, limit: int, domain: str | None, now: int) -> QueuePage:
        return await self._database.read(lambda cursor: desk.page(cursor, after, limit, domain, now), heavy=True)

    async def keys(self, after: int, limit: int) -> tuple[list[Key], int]:
        return await self._database.read(lambda cursor: desk.keys(cursor, after, limit), heavy=True)

    async def act(self, action: Literal["retry", "hold", "release"], keys: Sequence[Key] | None, now: int) -> int:
        return await self._database.write(lambda cursor: desk.act(cursor, action, keys, now))

    async def captured(self, after: str | None, limit: int, address: str | None, subject: str | None) -> CapturedPage:
        return await self._database.read(
            lambda cursor: desk.captured(cursor, after, limit, address, subject), heavy=True
        )

    async def clear_captured(self) -> int:
        return await self._database.write(desk.clear_captured)

    async def trace(self, mail_id: str | None, message_id: str | None, now: int) -> list[TraceStep]:
        return await self._database.read(lambda cursor: desk.trace(cursor, mail_id, message_id, now))
