"""What is remembered of finished mail: read in slices off the loop, deleted a few hundred rows at a time,
so that the writer is never held for more than some milliseconds."""

import json
from collections.abc import Mapping, Sequence

from barid_runtime.database.port import Cursor, Database, Row

from ...ports.memory import CapturedLoad, Finished
from .dialects import in_dialects
from .rows import lock_mails, put_to_sleep

LET_GO = "; removed since, to make room or for its age"
"""What the trace says on top of a captured recipient."""

# By the primary key, whose numbers grow with the time of queueing.
_FINISHED = (
    "SELECT m.id, m.pack FROM mail m WHERE m.id > ?1 AND NOT m.live AND m.queued < ?2"
    " AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.mail = m.id AND l.at >= ?2)"
    " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.parent = m.mail_id AND o.given_up IS NULL)"
    " ORDER BY m.id LIMIT ?3"
)
_THOSE = "(SELECT CAST(value AS BIGINT) FROM {each})"
_STILL = in_dialects(
    f"SELECT id, mail_id FROM mail WHERE id IN {_THOSE} AND NOT live"  # noqa: S608
    " AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.mail = mail.id)"
    " AND NOT EXISTS (SELECT 1 FROM captured c WHERE c.mail = mail.id)"
)
_FORGET = [
    in_dialects(f"DELETE FROM attempt WHERE mail IN {_THOSE}"),  # noqa: S608
    in_dialects(f"DELETE FROM ledger WHERE mail IN {_THOSE}"),  # noqa: S608
    in_dialects(f"DELETE FROM mail WHERE id IN {_THOSE}"),  # noqa: S608
]
_FORGET_CHILDREN = in_dialects("DELETE FROM outbox WHERE parent IN (SELECT value FROM {each}) AND given_up IS NOT NULL")
_CAPTURED = "FROM captured c JOIN mail m ON m.id = c.mail"
_LOAD = f"SELECT count(*), CAST(coalesce(sum(m.size + length(m.trace)), 0) AS BIGINT), min(c.at) {_CAPTURED}"
_OLDEST = f"SELECT c.id, c.mail, c.n, c.at, m.size + length(m.trace) {_CAPTURED} ORDER BY c.id LIMIT ?"
_GO = in_dialects(f"DELETE FROM captured WHERE id IN {_THOSE} RETURNING mail, n")  # noqa: S608


class TableMemory:
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
        def look(cursor: Cursor) -> tuple[CapturedLoad, list[Row]]:
            """On one snapshot: another relay that does the same sees the same copies, not the next ones."""
            return _load(cursor), cursor.all(_OLDEST, (limit,))

        load, oldest = await self._database.read(look, heavy=True)
        copies, size = load.copies, load.size
        going: dict[int, int] = {}
        for row, mail, _, at, octets in oldest:
            if at >= before and copies <= most and size <= most_size:
                break
            going[row] = mail
            copies -= 1
            size -= octets
        return await self._database.write(lambda cursor: _let_go(cursor, going)) if going else 0


def _forget(cursor: Cursor, rows: Sequence[int]) -> int:
    # One may have come again meanwhile, with a recipient that was not known.
    lock_mails(cursor, rows)
    still: dict[int, str] = dict(cursor.all(_STILL[cursor.dialect], (json.dumps(list(rows)),)))
    if still:
        those = json.dumps(list(still))
        for statement in _FORGET:
            cursor.execute(statement[cursor.dialect], (those,))
        cursor.execute(_FORGET_CHILDREN[cursor.dialect], (json.dumps(list(still.values())),))
    return len(still)


def _load(cursor: Cursor) -> CapturedLoad:
    row = cursor.one(_LOAD)
    assert row is not None
    return CapturedLoad(*row)


def _let_go(cursor: Cursor, copies: Mapping[int, int]) -> int:
    """copies: the mail of each."""
    mails = set(copies.values())
    lock_mails(cursor, mails)
    gone = cursor.all(_GO[cursor.dialect], (json.dumps(list(copies)),))
    cursor.executemany(
        "UPDATE ledger SET detail = detail || ? WHERE mail = ? AND n = ?", [(LET_GO, mail, n) for mail, n in gone]
    )
    put_to_sleep(cursor, mails)
    return len(gone)
