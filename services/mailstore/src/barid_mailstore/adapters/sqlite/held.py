"""Mails that crashed their handler, kept whole until an operator decides.

States of a row: *held* (its outcome stands in the ledger), then either gone with outcome `discarded`, or *released*:
owed again, the ledger's row is deleted, and this row stays until a new outcome deletes it. A crash between the release
and its publishing leaves a released row, which the reconciler publishes again.
"""

import json

from barid_contracts.mail import Accepted, Key
from barid_contracts.queue import HeldItem, HeldPage
from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from .index import Index
from .unit import Unit


class SqliteHeld:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def page(self, after: str | None, limit: int) -> HeldPage:
        """Pages in the order of keys; `after` is `mail_id/n`."""
        mail_id, _, n = (after or "").partition("/")
        limit = max(1, min(limit, 1000))
        number = int(n) if n.isdigit() else -1

        def work(cursor: Cursor) -> HeldPage:
            rows = cursor.all(
                "SELECT mail_id, n, account, reason, at, attempts FROM held WHERE released IS NULL"
                " AND (mail_id, n) > (?, ?) ORDER BY mail_id, n LIMIT ?",
                (mail_id, number, limit + 1),
            )
            items = [
                HeldItem(mail_id=row[0], n=row[1], account=row[2], reason=row[3], at=row[4], attempts=row[5])
                for row in rows[:limit]
            ]
            more = f"{items[-1].mail_id}/{items[-1].n}" if len(rows) > limit else None
            return HeldPage(items=items, next=more)

        return await self._index.read(work)

    async def release(self, keys: list[Key]) -> Commit[list[Accepted]]:
        """The mails to give to delivery again, each with the one obligation."""

        def work(unit: Unit) -> list[Accepted]:
            mails: list[Accepted] = []
            for key in keys:
                name = (key.mail_id, key.n)
                row = unit.cursor.one(
                    "UPDATE held SET released = ? WHERE mail_id = ? AND n = ? AND released IS NULL RETURNING accepted",
                    (int(unit.now * 1000), *name),
                )
                if row is None:
                    continue
                unit.dirty = True
                unit.cursor.execute("DELETE FROM ledger WHERE mail_id = ? AND n = ?", name)
                unit.cursor.execute("DELETE FROM attempt WHERE mail_id = ? AND n = ?", name)
                unit.cache.attempted.discard(name)
                unit.cache.released.add(name)
                mails.append(Accepted.model_validate_json(row[0]))
            return mails

        return await self._index.write(work)

    async def discard(self, keys: list[Key]) -> Commit[int]:
        def work(unit: Unit) -> int:
            count = 0
            for key in keys:
                name = (key.mail_id, key.n)
                row = unit.cursor.one(
                    "DELETE FROM held WHERE mail_id = ? AND n = ? AND released IS NULL RETURNING reason", name
                )
                if row is None:
                    continue
                unit.dirty = True
                count += 1
                reason = json.dumps({"reason": f"by an operator; was held: {row[0]}"}, ensure_ascii=False)
                unit.cursor.execute(
                    "UPDATE ledger SET outcome = 'discarded', at = ?, detail = ? WHERE mail_id = ? AND n = ?",
                    (int(unit.now * 1000), reason, *name),
                )
            return count

        return await self._index.write(work)

    async def released_before(self, at: float, limit: int) -> list[Accepted]:
        """Those released before `at` (epoch seconds) that have no new outcome yet."""
        return await self._index.read(
            lambda cursor: [
                Accepted.model_validate_json(row[0])
                for row in cursor.all(
                    "SELECT accepted FROM held WHERE released < ? ORDER BY released LIMIT ?", (int(at * 1000), limit)
                )
            ]
        )
