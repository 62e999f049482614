"""Mails that crashed their handler, and records that can't be read, kept until an operator decides.

States of a row: *held* (its outcome stands in the ledger), then either gone with outcome `discarded`, or *released*:
owed again, the ledger's row is deleted, and this row stays until a new outcome deletes it. A crash between the release
and its publishing leaves a released row, which the reconciler publishes again.

A *damaged* record's row has the record's `offset` in its pack, and nothing else is known of it: not whose it is, nor
who sent it. It is here for remote obligations too, since nobody could tell the relay what to do. When its pack is put
right (from a copy), it is *mended*: from then on it is as any held mail.
"""

import json
from collections.abc import Sequence

from barid_contracts.mail import Accepted, Key
from barid_contracts.queue import HeldItem, HeldPage
from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from ...ports.packs import Damaged
from .index import Index
from .unit import Unit

PUT_HELD = (
    'INSERT INTO held (mail_id, n, account, reason, at, attempts, released, pack, accepted, "offset")'
    " VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?) ON CONFLICT (mail_id, n) DO UPDATE SET account = excluded.account,"
    " reason = excluded.reason, at = excluded.at, attempts = excluded.attempts, released = NULL,"
    ' pack = excluded.pack, accepted = excluded.accepted, "offset" = excluded."offset"'
)

DAMAGED = "damaged: the record in its pack can't be read"


class TableHeld:
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

    async def count(self) -> int:
        """Those that wait for a decision."""

        def work(cursor: Cursor) -> int:
            row = cursor.one("SELECT count(*) FROM held WHERE released IS NULL")
            return int(row[0]) if row else 0

        return await self._index.read(work)

    async def release(self, keys: list[Key]) -> Commit[list[Accepted]]:
        """The mails to give to delivery again, each with the one obligation."""

        def work(unit: Unit) -> list[Accepted]:
            mails: list[Accepted] = []
            for key in keys:
                name = (key.mail_id, key.n)
                row = unit.cursor.one(
                    'UPDATE held SET released = ? WHERE mail_id = ? AND n = ? AND released IS NULL AND "offset" IS NULL'
                    " RETURNING accepted",
                    (int(unit.now * 1000), *name),
                )
                if row is None:
                    continue
                unit.dirty = True
                unit.cursor.execute("DELETE FROM ledger WHERE mail_id = ? AND n = ?", name)
                unit.cursor.execute("DELETE FROM attempt WHERE mail_id = ? AND n = ?", name)
                if unit.owner:
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

    async def hold_damaged(self, pack: str, records: Sequence[Damaged]) -> Commit[int]:
        """Returns how many obligations that were."""

        def work(unit: Unit) -> int:
            now, count = int(unit.now * 1000), 0
            for record in records:
                for n in record.numbers:
                    unit.cursor.execute(
                        "INSERT INTO ledger VALUES (?, ?, NULL, 'held', ?, NULL, '', NULL, NULL, ?)"
                        " ON CONFLICT DO NOTHING",
                        (record.mail_id, n, now, json.dumps({"reason": DAMAGED})),
                    )
                    if not unit.cursor.changes():
                        continue
                    unit.dirty = True
                    count += 1
                    unit.cursor.execute(
                        PUT_HELD,
                        (record.mail_id, n, "", DAMAGED, now, 0, pack, "", record.offset),
                    )
            return count

        return await self._index.write(work)

    async def damaged(self, keys: Sequence[Key]) -> list[tuple[Key, str, int]]:
        def work(cursor: Cursor) -> list[tuple[Key, str, int]]:
            found: list[tuple[Key, str, int]] = []
            for key in keys:
                row = cursor.one(
                    'SELECT pack, "offset" FROM held WHERE mail_id = ? AND n = ? AND "offset" IS NOT NULL',
                    (key.mail_id, key.n),
                )
                if row is not None:
                    found.append((key, row[0], row[1]))
            return found

        return await self._index.read(work)

    async def mend(self, key: Key, mail: Accepted) -> Commit[None]:
        own = [o for o in mail.obligations if o.n == key.n]

        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.execute(
                'UPDATE held SET "offset" = NULL, account = ?, accepted = ? WHERE mail_id = ? AND n = ?',
                (
                    own[0].account or "" if own else "",
                    mail.model_copy(update={"obligations": own}).model_dump_json(),
                    key.mail_id,
                    key.n,
                ),
            )

        return await self._index.write(work)

    async def hand_over(self, key: Key) -> Commit[None]:
        def work(unit: Unit) -> None:
            unit.dirty = True
            name = (key.mail_id, key.n)
            unit.cursor.execute("DELETE FROM held WHERE mail_id = ? AND n = ?", name)
            unit.cursor.execute("DELETE FROM ledger WHERE mail_id = ? AND n = ? AND outcome = 'held'", name)

        return await self._index.write(work)
