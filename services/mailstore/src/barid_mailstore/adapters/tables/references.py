"""Bodies that nobody refers to, and packs that still have some: the roots of what may not be deleted."""

from barid_runtime.database.port import Cursor

from .bodies import sweep
from .index import Index
from .unit import Unit

_REFERENCED = (
    "SELECT EXISTS (SELECT 1 FROM pack p JOIN body b ON b.pack = p.id WHERE p.name = ?1)"
    " OR EXISTS (SELECT 1 FROM outbox WHERE pack = ?1 AND given_up IS NULL)"
    " OR EXISTS (SELECT 1 FROM held WHERE pack = ?1)"
)


class TableBodies:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def sweep(self) -> bool:
        return (await self._index.write(sweep)).result

    async def referenced(self, packs: list[str]) -> list[str]:
        """Those of the named packs (or objects) that a body, a child on its way or a held mail needs."""

        def work(cursor: Cursor) -> list[str]:
            found: list[str] = []
            for name in packs:
                row = cursor.one(_REFERENCED, (name,))
                if row is not None and row[0]:
                    found.append(name)
            return found

        return await self._index.read(work, heavy=True)

    async def forget(self, pack: str) -> None:
        """The pack was deleted."""

        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cache.packs.pop(pack, None)
            unit.cursor.execute("DELETE FROM pack WHERE name = ?", (pack,))
            unit.cursor.execute("DELETE FROM closed WHERE name = ?", (pack,))

        await self._index.write(work)

    async def closing(self, pack: str) -> None:
        """All that the pack owes has its outcome, for good: from now on its mails may be forgotten."""

        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.execute("INSERT INTO closed VALUES (?) ON CONFLICT DO NOTHING", (pack,))

        await self._index.write(work)

    async def is_closed(self, pack: str) -> bool:
        return await self._index.read(
            lambda cursor: cursor.one("SELECT 1 FROM closed WHERE name = ?", (pack,)) is not None
        )
