"""Bodies in the index: what the door read of a mail, once for all its copies, and where its bytes stand."""

from barid_contracts.mail import Accepted
from barid_runtime.database.port import Cursor, Value

from ...ports.errors import Invalid
from .unit import Unit

INSERT_BODY = "INSERT INTO body VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""In the order of the table's columns. The wide ones are last: who reads the narrow ones reads no overflow page."""

INSERT_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

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
            f"SELECT max(uid), count(*) FROM (SELECT uid FROM {table} WHERE mailbox = ? ORDER BY uid LIMIT ?)",  # noqa: S608
            (mailbox, SWEEP),
        )
        assert last is not None
        if last[1]:
            where = (mailbox, last[0])
            if table == "message":
                cursor.execute(
                    "INSERT OR IGNORE INTO doomed SELECT body FROM message WHERE mailbox = ? AND uid <= ?", where
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
    grave = unit.cursor.one("SELECT mailbox FROM grave ORDER BY mailbox LIMIT 1")
    if grave is not None:
        unit.dirty = True
        _bury(unit.cursor, grave[0])
        return True
    rows = unit.cursor.all("SELECT body FROM doomed ORDER BY body LIMIT ?", (SWEEP,))
    if not rows:
        return False
    last = rows[-1][0]
    unit.dirty = True
    unit.cursor.execute(
        "DELETE FROM body WHERE id IN (SELECT body FROM doomed WHERE body <= ?)"
        " AND NOT EXISTS (SELECT 1 FROM message WHERE message.body = body.id)",
        (last,),
    )
    unit.cursor.execute("DELETE FROM doomed WHERE body <= ?", (last,))
    return len(rows) == SWEEP
