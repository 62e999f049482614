"""The queue in a backup, and what it becomes by being restored.

Whatever the lost relay did after the instant of the backup is not known here: each mail of the queue, and each that was
accepted since, may have been sent. Sending it again is for a person to decide, who may know from the logs of others. So
all that is queued is held; and `restored` remembers the time, so that mail accepted before it, which comes by the
journal, is held as well (`handlers.intake`).
"""

from collections.abc import Sequence

from barid_contracts.mail import Key
from barid_runtime.database.port import Cursor

from ...ports.queue import NewMail
from . import intake
from .rows import rows_of

SAVED = ("mail", "recipient", "ledger", "attempt", "captured", "outbox")
"""In an order in which they can be filled."""

NOT_SAVED = ("replica", "restored")
"""Who is alive, and when these tables themselves were restored."""

REFERENCED = "SELECT DISTINCT pack FROM mail WHERE live"
"""Packs, and bodies of their own, that rows need."""

QUEUED_THEN = "restored from a backup; may have been sent since"
ACCEPTED_SINCE = "accepted before the restore and not known to the backup; may have been sent"

_HOLD = "UPDATE recipient SET state = 'held', held_at = ?, last_error = ? WHERE state = 'queued'"


def restored(cursor: Cursor, now: float) -> int:
    """In the transaction that ends a restore; now: epoch seconds, not before any mail in the packs. How many recipients
    are held by it."""
    at = int(now * 1000)
    cursor.execute(_HOLD, (at, QUEUED_THEN))
    held = cursor.changes()
    cursor.execute("UPDATE recipient SET lease_owner = '', lease_until = 0")
    cursor.execute("UPDATE outbox SET taken_by = '', taken_until = 0")
    cursor.execute("DELETE FROM restored")
    cursor.execute("INSERT INTO restored (at) VALUES (?)", (at,))
    return held


def restored_at(cursor: Cursor) -> int:
    """Epoch ms; 0: never."""
    row = cursor.one("SELECT max(at) FROM restored")
    return int(row[0]) if row is not None and row[0] is not None else 0


_HOLD_ONE = "UPDATE recipient SET state = 'held', held_at = ?, last_error = ? WHERE mail = ? AND n = ?"


def enqueue(cursor: Cursor, mails: Sequence[NewMail], now: int) -> int:
    """As `intake.enqueue`; the new rows of uncertain mails are held."""
    keys = [Key(mail_id=mail.mail_id, n=each.n) for mail in mails if mail.uncertain for each in mail.recipients]
    fresh = intake.missing(cursor, keys)
    added = intake.enqueue(cursor, mails, now)
    cursor.executemany(_HOLD_ONE, [(now, ACCEPTED_SINCE, *row) for row in rows_of(cursor, fresh)])
    return added
