"""The relays that share the tables."""

from barid_contracts.status import Lease
from barid_runtime.database.port import Cursor, Database

from .dialects import in_dialects

_COME = in_dialects(
    "INSERT INTO replica (id, until) VALUES (?1, {now} + ?2) ON CONFLICT (id) DO UPDATE SET until = excluded.until"
)
_DEAD = in_dialects("DELETE FROM replica WHERE id IN (SELECT id FROM replica WHERE until <= {now} {free})")
_ALIVE = in_dialects("SELECT id FROM replica WHERE until > {now}")


_MEMBERS = in_dialects("SELECT id, until FROM replica WHERE until > {now} ORDER BY id")
_IN_HAND = in_dialects(
    "SELECT lease_owner, min(lease_until), max(epoch), count(*) FROM recipient"
    " WHERE state = 'queued' AND lease_until > {now} GROUP BY lease_owner ORDER BY lease_owner"
)


def leases(cursor: Cursor) -> list[Lease]:
    """Who shares the work, and who has recipients in hand. Reads the whole queue: for an operator's question."""
    members = [
        Lease(what="member", holder=holder, until=until) for holder, until in cursor.all(_MEMBERS[cursor.dialect])
    ]
    return members + [
        Lease(what="recipients", holder=holder, until=until, epoch=epoch, count=count)
        for holder, until, epoch, count in cursor.all(_IN_HAND[cursor.dialect])
    ]


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
