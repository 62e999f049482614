"""The door to the index: units of work, each atomic and durable when `write` returns, and reads on a snapshot."""

from collections.abc import Callable
from typing import TypeVar

from barid_runtime.clock import Clock
from barid_runtime.database.port import Cursor, Database

from ...ports.commits import Commit
from .cache import Cache
from .unit import Unit

T = TypeVar("T")


class Index:
    """All that the mailstore changes passes through here, so the cache can be trusted."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache = Cache()

    async def write(self, work: Callable[[Unit], T]) -> Commit[T]:
        """Raises Refused, DatabaseError."""
        now = self._clock.now()
        cache = self._cache

        def run(cursor: Cursor) -> Commit[T]:
            unit = None
            try:
                unit = Unit(cursor, cache, now)
                result = work(unit)
                unit.finish()
            except BaseException:
                if unit is None or unit.dirty:
                    cache.clear()
                raise
            cache.trim()
            crossed = unit.crossed
            return Commit(
                result,
                list(unit.deltas.values()),
                [uuid for uuid, over in crossed.items() if over] if crossed else [],
                [uuid for uuid, over in crossed.items() if not over] if crossed else [],
                unit.strangers,
                unit.outbox,
                unit.doomed,
            )

        return await self._database.write(run)

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        return await self._database.read(work, heavy=heavy)
