"""What is remembered of finished mail, in relay.db: read in slices off the loop, deleted a few hundred rows at a time,
so that the writer is never held for more than some milliseconds."""

from collections.abc import Sequence

from barid_runtime.database.port import Cursor, Database

from ...ports.memory import CapturedLoad, Finished

LET_GO = "; removed since, to make room or for its age"
"""What the trace says on top of a captured recipient."""

# By the primary key, whose numbers grow with the time of queueing.
_FINISHED = (
    "SELECT m.id, m.pack FROM mail m WHERE m.id > ?1 AND NOT m.live AND m.queued < ?2"
    " AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.mail = m.id AND l.at >= ?2)"
    " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.parent = m.mail_id AND o.given_up IS NULL)"
    " ORDER BY m.id LIMIT ?3"
)
_STILL = (
    "SELECT mail_id FROM mail WHERE id = ?1 AND NOT live AND NOT EXISTS (SELECT 1 FROM recipient WHERE mail = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM captured WHERE mail = ?1)"
)
_CAPTURED = "FROM captured c JOIN mail m ON m.id = c.mail"
_LOAD = f"SELECT count(*), coalesce(sum(m.size + length(m.trace)), 0), min(c.at) {_CAPTURED}"
_OLDEST = f"SELECT c.id, c.mail, c.n, c.at, m.size + length(m.trace) {_CAPTURED} ORDER BY c.id LIMIT ?"
_ASLEEP = (
    "UPDATE mail SET live = 0, trace = '' WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE mail = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM captured WHERE mail = ?1)"
)


class SqliteMemory:
    """A Memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def finished(self, after: int, before: int, limit: int) -> list[Finished]:
        rows = await self._database.read(lambda cursor: cursor.all(_FINISHED, (after, before, limit)), heavy=True)
        return [Finished(row, pack) for row, pack in rows]

    async def forget(self, rows: Sequence[int]) -> int:
        return await self._database.write(lambda cursor: _forget(cursor, rows))

    async def captured_load(self) -> CapturedLoad:
        return await self._database.read(_load, heavy=True)

    async def let_go(self, limit: int, before: int, most: int, most_size: int) -> int:
        load = await self.captured_load()
        oldest = await self._database.read(lambda cursor: cursor.all(_OLDEST, (limit,)), heavy=True)
        copies, size = load.copies, load.size
        going: list[tuple[int, int, int]] = []
        for row, mail, n, at, octets in oldest:
            if at >= before and copies <= most and size <= most_size:
                break
            going.append((row, mail, n))
            copies -= 1
            size -= octets
        return await self._database.write(lambda cursor: _let_go(cursor, going)) if going else 0


def _forget(cursor: Cursor, rows: Sequence[int]) -> int:
    forgotten = 0
    for row in rows:
        # It may have come again meanwhile, with a recipient that was not known.
        still = cursor.one(_STILL, (row,))
        if still is None:
            continue
        cursor.execute("DELETE FROM attempt WHERE mail = ?", (row,))
        cursor.execute("DELETE FROM ledger WHERE mail = ?", (row,))
        cursor.execute("DELETE FROM outbox WHERE parent = ? AND given_up IS NOT NULL", still)
        cursor.execute("DELETE FROM mail WHERE id = ?", (row,))
        forgotten += 1
    return forgotten


def _load(cursor: Cursor) -> CapturedLoad:
    row = cursor.one(_LOAD)
    assert row is not None
    return CapturedLoad(*row)


def _let_go(cursor: Cursor, copies: Sequence[tuple[int, int, int]]) -> int:
    gone = 0
    for row, mail, n in copies:
        cursor.execute("DELETE FROM captured WHERE id = ?", (row,))
        if not cursor.changes():
            continue
        gone += 1
        cursor.execute("UPDATE ledger SET detail = detail || ? WHERE mail = ? AND n = ?", (LET_GO, mail, n))
        cursor.execute(_ASLEEP, (mail,))
    return gone
