"""The outbox: children that the settling transaction made and that the journal doesn't have yet."""

import json
from collections.abc import Sequence

from barid_contracts.mail import BodyRef
from barid_runtime.database.port import Row
from barid_runtime.outbox import OutboxRow

from .bulk import storable
from .index import Index
from .unit import Unit

_COLUMNS = 'mail_id, parent, kind, reverse_path, recipients, prefix, content, pack, "offset", head, size'
_DUE = f"SELECT {_COLUMNS} FROM outbox WHERE given_up IS NULL ORDER BY at, mail_id LIMIT ?"  # noqa: S608

CLAIM_MS = 60_000
"""That a replica has to journal what it took; then another does, under the same id. By the database's time."""

NOW = "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"
_CLAIM = (
    f"UPDATE outbox SET claimed = {NOW} + {CLAIM_MS} WHERE mail_id IN (SELECT mail_id FROM outbox"  # noqa: S608
    f" WHERE given_up IS NULL AND claimed < {NOW} ORDER BY at, mail_id LIMIT ? FOR UPDATE SKIP LOCKED)"
    f" RETURNING {_COLUMNS}"
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
    """An OutboxStore (`barid_runtime.outbox`). claiming: replicas take rows from each other's sight."""

    def __init__(self, index: Index, *, claiming: bool) -> None:
        self._index = index
        self._claiming = claiming

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        if not self._claiming:
            return await self._index.read(lambda cursor: [_row(row) for row in cursor.all(_DUE, (limit,))])

        def work(unit: Unit) -> list[OutboxRow]:
            unit.dirty = True
            return [_row(row) for row in unit.cursor.all(_CLAIM, (limit,))]

        return (await self._index.write(work)).result

    async def delete(self, mail_ids: Sequence[str]) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.executemany("DELETE FROM outbox WHERE mail_id = ?", [(mail_id,) for mail_id in mail_ids])

        await self._index.write(work)

    async def give_up(self, mail_id: str, reason: str) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.execute("UPDATE outbox SET given_up = ? WHERE mail_id = ?", (storable(reason[:1000]), mail_id))

        await self._index.write(work)
