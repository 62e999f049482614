"""The relays that share the tables."""

from barid_runtime.database.port import Cursor, Database

from .dialects import in_dialects

_COME = in_dialects(
    "INSERT INTO replica (id, until) VALUES (?1, {now} + ?2) ON CONFLICT (id) DO UPDATE SET until = excluded.until"
)
_DEAD = in_dialects("DELETE FROM replica WHERE id IN (SELECT id FROM replica WHERE until <= {now} {free})")
_ALIVE = in_dialects("SELECT id FROM replica WHERE until > {now}")


class TableReplicas:
    """A Replicas."""

    def __init__(self, database: Database, owner: str) -> None:
        self.id = owner
        self._database = database

    async def beat(self, seconds: float) -> list[str]:
        def work(cursor: Cursor) -> list[str]:
            cursor.execute(_COME[cursor.dialect], (self.id, int(seconds * 1000)))
            cursor.execute(_DEAD[cursor.dialect])
            return [replica for (replica,) in cursor.all(_ALIVE[cursor.dialect])]

        return await self._database.write(work)

    async def leave(self) -> None:
        await self._database.write(lambda cursor: cursor.execute("DELETE FROM replica WHERE id = ?", (self.id,)))
