"""The outbox: notices that the settling transaction made and that the journal doesn't have yet.

Where several relays share it, each takes rows into its hands, so that a notice is journalled once. When it has died, or
could not do it for a minute, another does, under the same name; should both have done it, that changes nothing.
"""

import json
from collections.abc import Sequence

from barid_runtime.database.port import Cursor, Database, Row
from barid_runtime.outbox import OutboxRow

from .dialects import in_dialects

TAKEN_SECONDS = 60.0
"""A row is journalled within milliseconds of being taken. An owner whose bus or journal is down tries again sooner than
this, and takes it anew each time: then others get a turn when its pauses have grown."""

_COLUMNS = "mail_id, parent, reverse_path, recipients, content"
_DUE = f"SELECT {_COLUMNS} FROM outbox WHERE given_up IS NULL ORDER BY at, mail_id LIMIT ?"  # noqa: S608
_TAKE = in_dialects(
    "WITH picked AS MATERIALIZED (SELECT mail_id FROM outbox WHERE given_up IS NULL"  # noqa: S608
    " AND (taken_until <= {now} OR taken_by = ?2"
    " OR taken_by NOT IN (SELECT id FROM replica WHERE until > {now})) ORDER BY at, mail_id LIMIT ?1 {free}),"
    " taken AS (UPDATE outbox o SET taken_by = ?2, taken_until = {now} + ?3 FROM picked"
    f" WHERE o.mail_id = picked.mail_id RETURNING o.*) SELECT {_COLUMNS} FROM taken ORDER BY at, mail_id"
)["postgres"]


class TableOutbox:
    """An OutboxStore (`barid_runtime.outbox`). owner: who takes rows; alone: nobody else does."""

    def __init__(self, database: Database, owner: str, *, alone: bool) -> None:
        self._database = database
        self._owner = owner
        self._alone = alone

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        if self._alone:
            return await self._database.read(lambda cursor: _rows(cursor.all(_DUE, (limit,))))
        ms = int(TAKEN_SECONDS * 1000)
        if not await self._database.read(lambda cursor: cursor.one(_DUE, (1,))):
            # Nothing to take, as nearly always: a read is no commit.
            return []
        return await self._database.write(lambda cursor: _rows(cursor.all(_TAKE, (limit, self._owner, ms))))

    async def delete(self, mail_ids: Sequence[str]) -> None:
        def work(cursor: Cursor) -> None:
            cursor.executemany("DELETE FROM outbox WHERE mail_id = ?", [(mail_id,) for mail_id in mail_ids])

        await self._database.write(work)

    async def give_up(self, mail_id: str, reason: str) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute("UPDATE outbox SET given_up = ? WHERE mail_id = ?", (reason[:1000], mail_id))

        await self._database.write(work)


def _rows(rows: Sequence[Row]) -> list[OutboxRow]:
    return [
        OutboxRow(
            mail_id=mail_id,
            kind="dsn",
            reverse_path=reverse_path,
            recipients=json.loads(recipients),
            body="own",
            content=content,
            parent=parent,
        )
        for mail_id, parent, reverse_path, recipients, content in rows
    ]
