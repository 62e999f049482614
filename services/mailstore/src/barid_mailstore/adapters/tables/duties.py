"""Which replica does what need be done by one alone. The owner of a file has every duty."""

from collections.abc import Callable

from barid_contracts.status import Lease
from barid_runtime.database.port import Cursor

from .index import Index
from .outbox import NOW
from .unit import Unit

_TAKE = (
    f"INSERT INTO duty (name, holder, until) VALUES (?1, ?2, {NOW} + ?3) ON CONFLICT (name)"  # noqa: S608
    " DO UPDATE SET holder = excluded.holder, until = excluded.until"
    f" WHERE duty.holder = excluded.holder OR duty.until < {NOW} RETURNING name"
)


_HELD = f"SELECT name, holder, until FROM duty WHERE until >= {NOW} ORDER BY name"  # noqa: S608


def duties(cursor: Cursor) -> list[Lease]:
    """Who has which now. In PostgreSQL only: the owner of a file takes none down."""
    return [Lease(what=name, holder=holder, until=until) for name, holder, until in cursor.all(_HELD)]


class TableDuties:
    """holder: our name, of this incarnation alone. shared: there are replicas."""

    def __init__(self, index: Index, holder: str, *, shared: bool) -> None:
        self._index = index
        self.holder = holder
        self._shared = shared

    async def mine(self, name: str, seconds: float) -> bool:
        return not self._shared or await self._written(
            lambda unit: unit.cursor.one(_TAKE, (name, self.holder, int(seconds * 1000))) is not None
        )

    async def give_up(self) -> None:
        def work(unit: Unit) -> bool:
            unit.cursor.execute("DELETE FROM duty WHERE holder = ?", (self.holder,))
            return True

        if self._shared:
            await self._written(work)

    async def _written(self, work: Callable[[Unit], bool]) -> bool:
        def change(unit: Unit) -> bool:
            unit.dirty = True
            return work(unit)

        return (await self._index.write(change)).result
