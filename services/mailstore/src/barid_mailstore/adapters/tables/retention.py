"""What is forgotten after its time, in slices that hold the writer for a few ms.

Each method reads one slice behind `mark` in a thread, deletes what may go of it, and answers how much that was and
where the next slice begins (None: that was all).
"""

from collections.abc import Collection
from typing import Any

from barid_runtime.database.port import Cursor

from ...policy.times import time_prefix
from ...ports.retention import Mark, Slice
from .index import Index
from .unit import Unit

SLICE = 500
"""Rows looked at, and at most deleted, in one unit: 1 to 3 ms of the writer."""

MOST_TOMBSTONES = 100_000
"""Kept of one mailbox however young: 2 MB. A client that was away for more than that reads the mailbox anew."""

_VACATIONS = (
    "SELECT account, handle, sender FROM vacation WHERE until <= ? AND (account, handle, sender) > (?, ?, ?)"
    " ORDER BY account, handle, sender LIMIT ?"
)
_LEDGER = "SELECT mail_id, n, at FROM ledger WHERE (mail_id, n) > (?, ?) AND mail_id < ? ORDER BY mail_id, n LIMIT ?"
_LAST_FORGOTTEN = (
    "SELECT mailbox, max(modseq) FILTER (WHERE at < ?), count(*) FROM tombstone WHERE mailbox > ?"
    " GROUP BY mailbox ORDER BY mailbox LIMIT 1"
)
_BEYOND = "SELECT modseq FROM tombstone WHERE mailbox = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?"


class TableRetention:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def vacations(self, mark: Mark, now: float) -> Slice:
        """Memory that ran out."""
        since = int(now * 1000)
        account, handle, sender = mark or (-1, "", "")
        found = await self._index.read(
            lambda cursor: cursor.all(_VACATIONS, (since, account, handle, sender, SLICE)), heavy=True
        )

        def work(unit: Unit) -> None:
            unit.dirty = True
            # It may have been renewed since.
            unit.cursor.executemany(
                "DELETE FROM vacation WHERE account = ? AND handle = ? AND sender = ? AND until <= ?",
                [(*row, since) for row in found],
            )

        if found:
            await self._index.write(work)
        return Slice(len(found), tuple(found[-1]) if len(found) == SLICE else None)

    async def children(self, mark: Mark, before: float) -> Slice:
        """Children that were given up before a time: nobody makes them any more."""
        until = int(before * 1000)

        def work(unit: Unit) -> int:
            unit.dirty = True
            unit.cursor.execute(
                "DELETE FROM outbox WHERE mail_id IN"
                " (SELECT mail_id FROM outbox WHERE given_up IS NOT NULL AND at < ? LIMIT ?)",
                (until, SLICE),
            )
            return unit.cursor.changes()

        old = "SELECT 1 FROM outbox WHERE given_up IS NOT NULL AND at < ? LIMIT 1"
        if await self._index.read(lambda cursor: cursor.one(old, (until,)), heavy=True) is None:
            return Slice(0, None)
        deleted = (await self._index.write(work)).result
        return Slice(deleted, () if deleted == SLICE else None)

    async def tombstones(self, mark: Mark, before: float) -> Slice:
        """Those of one mailbox that are too old, or too many. What is forgotten is said by the mailbox from the same
        commit on, so no reader takes an answer for whole that isn't."""

        def look(cursor: Cursor) -> tuple[int, int] | None:
            row = cursor.one(_LAST_FORGOTTEN, (int(before), mark[0] if mark else -1))
            if row is None:
                return None
            mailbox, last, count = row
            if count > MOST_TOMBSTONES:
                beyond = cursor.one(_BEYOND, (mailbox, MOST_TOMBSTONES))
                last = max(last or 0, beyond[0] if beyond is not None else 0)
            return mailbox, last or 0

        def work(unit: Unit) -> int:
            unit.dirty = True
            cursor = unit.cursor
            cursor.execute("UPDATE mailbox SET forgotten = ?1 WHERE id = ?2 AND forgotten < ?1", (last, mailbox))
            cursor.execute(
                "DELETE FROM tombstone WHERE mailbox = ?1 AND uid IN"
                " (SELECT uid FROM tombstone WHERE mailbox = ?1 AND modseq <= ?2 LIMIT ?3)",
                (mailbox, last, SLICE),
            )
            return cursor.changes()

        found = await self._index.read(look, heavy=True)
        if found is None:
            return Slice(0, None)
        mailbox, last = found
        if not last:
            return Slice(0, (mailbox,))
        deleted = (await self._index.write(work)).result
        return Slice(deleted, (mailbox - 1 if deleted == SLICE else mailbox,))

    async def copies(self, mark: Mark, before: float) -> Slice:
        """Keys begin with their time, so the oldest stand first."""
        last = time_prefix(int(before * 1000))

        def work(unit: Unit) -> int:
            unit.dirty = True
            unit.cursor.execute(
                "DELETE FROM copied WHERE key IN (SELECT key FROM copied WHERE key < ? ORDER BY key LIMIT ?)",
                (last, SLICE),
            )
            return unit.cursor.changes()

        old = "SELECT 1 FROM copied WHERE key < ? LIMIT 1"
        if await self._index.read(lambda cursor: cursor.one(old, (last,)), heavy=True) is None:
            return Slice(0, None)
        deleted = (await self._index.write(work)).result
        return Slice(deleted, () if deleted == SLICE else None)

    async def on_their_way(self) -> set[str]:
        """Mails whose keys may be asked for again although no pack says so: children that wait for the journal, and
        held mails."""

        def work(cursor: Cursor) -> set[str]:
            return {row[0] for row in cursor.execute("SELECT mail_id FROM outbox UNION SELECT mail_id FROM held")}

        return await self._index.read(work, heavy=True)

    async def ledger(self, mark: Mark, before: float, kept: Collection[str]) -> Slice:
        """Outcomes before a time, of mails that were accepted before it, and not of `kept`."""
        until = int(before * 1000)
        last = time_prefix(until)
        mail_id, n = mark or ("", -1)
        rows = await self._index.read(lambda cursor: cursor.all(_LEDGER, (mail_id, n, last, SLICE)), heavy=True)
        old: list[tuple[Any, ...]] = [row[:2] for row in rows if row[2] < until and row[0] not in kept]

        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.executemany("DELETE FROM ledger WHERE mail_id = ? AND n = ?", old)

        if old:
            await self._index.write(work)
        return Slice(len(old), tuple(rows[-1][:2]) if len(rows) == SLICE else None)
