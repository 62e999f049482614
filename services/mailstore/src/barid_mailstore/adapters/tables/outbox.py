"""The outbox: children that the settling transaction made and that the journal doesn't have yet."""

import json
from collections.abc import Sequence
from time import monotonic

from barid_contracts.mail import BodyRef
from barid_runtime.database.port import Row
from barid_runtime.outbox import OutboxRow

from .bulk import storable
from .index import Index
from .unit import Unit

_COLUMNS = 'mail_id, parent, kind, reverse_path, recipients, prefix, content, pack, "offset", head, size'
_DUE = f"SELECT {_COLUMNS} FROM outbox WHERE given_up IS NULL ORDER BY at, mail_id LIMIT ?"  # noqa: S608

CLAIM_MS = 15_000
"""That a replica has to journal what it took; then another does, under the same id. By the database's time. A row is
journalled within milliseconds, so this is how long the children of one that was killed wait; while the store or the bus
is away, two may try the same."""

NOW = "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"
_CLAIM = (
    f"UPDATE outbox SET claimed = {NOW} + {CLAIM_MS} WHERE mail_id IN (SELECT mail_id FROM outbox"  # noqa: S608
    f" WHERE given_up IS NULL AND (claimed < {NOW}"
    " OR mail_id IN (SELECT value FROM json_array_elements_text(CAST(?2 AS JSON))))"
    f" ORDER BY at, mail_id LIMIT ?1 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}"
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
    """An OutboxStore (`barid_runtime.outbox`). claiming: replicas take rows from each other's sight. What one took and
    could not journal it may take again at once."""

    def __init__(self, index: Index, *, claiming: bool) -> None:
        self._index = index
        self._claiming = claiming
        # mail_id → until when, by the process's own time, nobody else can have taken it.
        self._ours: dict[str, float] = {}

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        if not self._claiming:
            return await self._index.read(lambda cursor: [_row(row) for row in cursor.all(_DUE, (limit,))])

        def work(unit: Unit) -> list[OutboxRow]:
            unit.dirty = True
            return [_row(row) for row in unit.cursor.all(_CLAIM, (limit, ours))]

        now = monotonic()
        self._ours = {mail_id: until for mail_id, until in self._ours.items() if until > now}
        ours = json.dumps([*self._ours])
        rows = (await self._index.write(work)).result
        self._ours |= dict.fromkeys((row.mail_id for row in rows), now + CLAIM_MS / 1000)
        return rows

    async def delete(self, mail_ids: Sequence[str]) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.executemany("DELETE FROM outbox WHERE mail_id = ?", [(mail_id,) for mail_id in mail_ids])

        await self._index.write(work)
        for mail_id in mail_ids:
            self._ours.pop(mail_id, None)

    async def give_up(self, mail_id: str, reason: str) -> None:
        def work(unit: Unit) -> None:
            unit.dirty = True
            unit.cursor.execute("UPDATE outbox SET given_up = ? WHERE mail_id = ?", (storable(reason[:1000]), mail_id))

        await self._index.write(work)
