"""Bodies in the index: what the door read of a mail, once for all its copies, and where its bytes stand."""

import json
from typing import Any

from barid_contracts.mail import Accepted
from barid_runtime.database.port import Cursor, Value

from ...ports.errors import Invalid
from .bulk import Bulk
from .unit import Unit

BODIES = Bulk("body", "bigint", "text", *["bigint"] * 4, *["text"] * 4, "boolean", *["text"] * 4)
"""In the order of the table's columns. The wide ones are last: who reads the narrow ones reads no overflow page."""

MESSAGES = Bulk("message", *["bigint"] * 7, "text")
LEDGER = Bulk("ledger", "text", "int", "bigint", "text", "bigint", "bigint", *["text"] * 4)

SWEEP = 500
"""Bodies, or messages of a removed mailbox, deleted in one unit: a few ms."""


def body_values(unit: Unit, body: int, mail: Accepted) -> tuple[Value, ...]:
    ref = mail.ref
    if ref is None:
        raise Invalid("a mail without the reference to its body")
    return (
        body,
        mail.mail_id,
        unit.pack(ref.pack),
        ref.offset,
        ref.head,
        ref.size,
        mail.message_id,
        mail.reverse_path,
        mail.subject,
        mail.trace,
        mail.headers_cut,
        mail.parts,
        mail.structure,
        mail.envelope,
        mail.headers,
    )


def _bury(cursor: Cursor, mailbox: int) -> None:
    """Some rows of a mailbox that was removed; the last of them take its grave with them."""
    for table in ("message", "tombstone"):
        # The names are the two above.
        last = cursor.one(
            f"SELECT max(uid), count(*) FROM (SELECT uid FROM {table} WHERE mailbox = ? ORDER BY uid LIMIT ?) slice",  # noqa: S608
            (mailbox, SWEEP),
        )
        assert last is not None
        if last[1]:
            where = (mailbox, last[0])
            if table == "message":
                cursor.execute(
                    "INSERT INTO doomed (body) SELECT body FROM message WHERE mailbox = ? AND uid <= ?", where
                )
            cursor.execute(f"DELETE FROM {table} WHERE mailbox = ? AND uid <= ?", where)  # noqa: S608
        if last[1] == SWEEP:
            return
    cursor.execute("DELETE FROM grave WHERE mailbox = ?", (mailbox,))


def sweep(unit: Unit) -> bool:
    """Delete some of what mailboxes left that were removed, then some of the bodies whose last message may be gone.
    True: there is more.

    Expunging 10,000 messages would else rewrite 15 MB of wide rows in the transaction that a client waits for.
    """
    cursor = unit.cursor
    free = "" if unit.owner else " FOR UPDATE SKIP LOCKED"
    grave = cursor.one(f"SELECT mailbox FROM grave ORDER BY mailbox LIMIT 1{free}")  # noqa: S608
    if grave is not None:
        unit.dirty = True
        _bury(cursor, grave[0])
        return True
    rows = cursor.all(f"SELECT id, body FROM doomed ORDER BY id LIMIT ?{free}", (SWEEP,))  # noqa: S608
    if not rows:
        return False
    unit.dirty = True
    numbers, bodies = [row[0] for row in rows], sorted({row[1] for row in rows})
    if not unit.owner:
        # Locked first, looked at for messages then: whoever files another copy of such a mail holds its body until
        # that copy is there to be seen, or finds it gone and makes a new one.
        _on(cursor, "SELECT id FROM body WHERE id IN {} ORDER BY id FOR UPDATE", bodies)
    _on(
        cursor,
        "DELETE FROM body WHERE id IN {} AND NOT EXISTS (SELECT 1 FROM message WHERE message.body = body.id)",
        bodies,
    )
    _on(cursor, "DELETE FROM doomed WHERE id IN {}", numbers)
    return len(rows) == SWEEP


def _on(cursor: Cursor, sql: str, numbers: list[int]) -> None:
    """A statement about a list of numbers, which takes the place of `{}`."""
    if cursor.dialect == "postgres":
        parameters: Any = (numbers,)
        cursor.execute(sql.replace("{}", "(SELECT unnest(?::bigint[]))"), parameters)
    else:
        cursor.execute(sql.replace("{}", "(SELECT value FROM json_each(?))"), (json.dumps(numbers),))
