"""The outbox: children that the settling transaction made and that the journal doesn't have yet."""

import json
from collections.abc import Sequence

from barid_contracts.mail import BodyRef
from barid_runtime.database.port import Cursor, Row
from barid_runtime.outbox import OutboxRow

from .index import Index
from .unit import Unit

_DUE = (
    "SELECT mail_id, parent, kind, reverse_path, recipients, prefix, content, pack, offset, head, size FROM outbox"
    " WHERE given_up IS NULL ORDER BY at, mail_id LIMIT ?"
)


def _row(row: Row) -> OutboxRow:
    mail_id, parent, kind, reverse_path, recipients, prefix, content, pack, offset, head, size = row
    return OutboxRow(
        mail_id=mail_id,
        kind=kind,
        reverse_path=reverse_path,
        recipients=json.loads(recipients),
        body="own" if pack is None else "same",
        prefix=prefix,
        content=content or b"",
        ref=None if pack is None else BodyRef(pack=pack, offset=offset, head=head, size=size),
        parent=parent,
    )


class TableOutbox:
    """An OutboxStore (`barid_runtime.outbox`)."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        def work(cursor: Cursor) -> list[OutboxRow]:
            return [_row(row) for row in cursor.all(_DUE, (limit,))]

        return await self._index.read(work)

    async def delete(self, mail_ids: Sequence[str]) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.executemany("DELETE FROM outbox WHERE mail_id = ?", [(mail_id,) for mail_id in mail_ids])

        await self._index.write(work)

    async def give_up(self, mail_id: str, reason: str) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.execute("UPDATE outbox SET given_up = ? WHERE mail_id = ?", (reason[:1000], mail_id))

        await self._index.write(work)
