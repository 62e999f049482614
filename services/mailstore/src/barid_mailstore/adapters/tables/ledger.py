"""The ledger: what became of each local obligation; attempts that crashed; the trace of a mail."""

import json
from typing import Any

from barid_contracts.mail import Key
from barid_contracts.trace import TraceStep
from barid_runtime.database.port import Cursor

from ...policy.timeline import LedgerRow, timeline
from ...policy.times import time_prefix
from ...ports.commits import Commit
from .bulk import storable
from .index import Index
from .unit import Unit

MOST_TRACED = 50
"""Mails of one trace: a Message-ID may be that of many copies."""

TRACE_WINDOW_MS = 30 * 86_400_000
"""How far back a Message-ID is looked for. There is no index by it: it would cost every delivery 9 µs, and an
operator's question reads a month of narrow rows in about a second per million."""

_MISSING = (
    "SELECT w.mail_id, w.n FROM (SELECT json_extract(value, '$[0]') AS mail_id, json_extract(value, '$[1]') AS n"
    " FROM json_each(?)) w WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.mail_id = w.mail_id AND l.n = w.n)"
)
_MISSING_OF_ARRAYS = (
    "SELECT w.mail_id, w.n FROM unnest(?::text[], ?::int[]) w (mail_id, n)"
    " WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.mail_id = w.mail_id AND l.n = w.n)"
)

_ROWS = (
    "SELECT l.n, l.outcome, l.at, l.address, l.reverse_path, l.detail, b.subject FROM ledger l"
    " LEFT JOIN body b ON b.id = l.body AND b.mail_id = l.mail_id WHERE l.mail_id = ? ORDER BY l.n"
)


class TableLedger:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def missing(self, keys: list[Key]) -> list[Key]:
        def work(cursor: Cursor) -> list[Key]:
            if cursor.dialect == "postgres":
                arrays: Any = ([key.mail_id for key in keys], [key.n for key in keys])
                rows = cursor.execute(_MISSING_OF_ARRAYS, arrays)
            else:
                rows = cursor.execute(_MISSING, (json.dumps([(key.mail_id, key.n) for key in keys]),))
            return [Key(mail_id=mail_id, n=n) for mail_id, n in rows]

        return await self._index.read(work)

    async def count_attempts(self, keys: list[Key], error: str) -> Commit[list[int]]:
        """Their counts, this one included."""

        def work(unit: Unit) -> list[int]:
            unit.dirty = True
            counts: list[int] = []
            for key in keys:
                row = unit.cursor.one(
                    "INSERT INTO attempt VALUES (?, ?, 1, ?, ?) ON CONFLICT (mail_id, n) DO UPDATE"
                    " SET count = attempt.count + 1, at = excluded.at, error = excluded.error RETURNING count",
                    (key.mail_id, key.n, int(unit.now * 1000), storable(error[:1000])),
                )
                assert row is not None
                counts.append(row[0])
                if unit.owner:
                    unit.cache.attempted.add((key.mail_id, key.n))
            return counts

        return await self._index.write(work)

    async def trace(self, mail_id: str) -> list[TraceStep]:
        return await self._index.read(lambda cursor: _trace(cursor, mail_id))

    async def mails_called(self, message_id: str, now: float) -> list[str]:
        """Our ids of the mails that have this Message-ID, newest first."""
        oldest = time_prefix(int(now * 1000) - TRACE_WINDOW_MS)

        def work(cursor: Cursor) -> list[str]:
            rows = cursor.execute(
                "SELECT DISTINCT mail_id FROM ledger WHERE mail_id >= ? AND message_id = ?"
                " ORDER BY mail_id DESC LIMIT ?",
                (oldest, message_id, MOST_TRACED),
            )
            return [row[0] for row in rows]

        return await self._index.read(work, heavy=True)


def _trace(cursor: Cursor, mail_id: str) -> list[TraceStep]:
    rows = [LedgerRow(*row) for row in cursor.all(_ROWS, (mail_id,))]
    attempts = cursor.all("SELECT n, count, at, error FROM attempt WHERE mail_id = ? ORDER BY n", (mail_id,))
    released = cursor.all("SELECT n, released, reason FROM held WHERE mail_id = ? AND released IS NOT NULL", (mail_id,))
    given_up = cursor.all(
        "SELECT mail_id, at, kind, given_up FROM outbox WHERE parent = ? AND given_up IS NOT NULL", (mail_id,)
    )
    return timeline(mail_id, rows, attempts, released, given_up)
