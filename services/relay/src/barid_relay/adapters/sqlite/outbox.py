"""The outbox: notices that the settling transaction made and that the journal doesn't have yet."""

import json
from collections.abc import Sequence

from barid_runtime.database.port import Cursor, Database
from barid_runtime.outbox import OutboxRow

_DUE = (
    "SELECT mail_id, parent, reverse_path, recipients, content FROM outbox WHERE given_up IS NULL"
    " ORDER BY at, mail_id LIMIT ?"
)


class SqliteOutbox:
    """An OutboxStore (`barid_runtime.outbox`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        def work(cursor: Cursor) -> list[OutboxRow]:
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
                for mail_id, parent, reverse_path, recipients, content in cursor.execute(_DUE, (limit,))
            ]

        return await self._database.read(work)

    async def delete(self, mail_ids: Sequence[str]) -> None:
        def work(cursor: Cursor) -> None:
            cursor.executemany("DELETE FROM outbox WHERE mail_id = ?", [(mail_id,) for mail_id in mail_ids])

        await self._database.write(work)

    async def give_up(self, mail_id: str, reason: str) -> None:
        def work(cursor: Cursor) -> None:
            cursor.execute("UPDATE outbox SET given_up = ? WHERE mail_id = ?", (reason[:1000], mail_id))

        await self._database.write(work)
