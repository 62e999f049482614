"""The index in a backup, and what it becomes by being restored.

A restored index is older than what clients remember: after it, UIDs were given that it will give again to other mails.
So every mailbox gets a new UIDVALIDITY (RFC 3501 §2.3.1.1), above any that the lost index can have given: those are
times. Clients forget what they know of the mailbox and read it anew. MODSEQs just go on.
"""

from barid_runtime.database.port import Cursor

from .shared import BODY_NUMBERS

SAVED = (
    "account",
    "mailbox",
    "retired",
    "subscription",
    "pack",
    "body",
    "message",
    "tombstone",
    "doomed",
    "ledger",
    "attempt",
    "held",
    "outbox",
    "vacation",
    "script",
    "grave",
    "closed",
)
"""In an order in which they can be filled."""

NOT_SAVED = ("state", "duty", "copied")
"""What one process counts by, who does what at the moment, and the keys of requests whose askers are gone."""

CLOSED = "SELECT name FROM closed"
"""Packs all of whose obligations have their outcome in these tables."""

REFERENCED = (
    "SELECT name FROM pack WHERE EXISTS (SELECT 1 FROM body WHERE body.pack = pack.id)"
    " UNION SELECT pack FROM held WHERE pack <> '' UNION SELECT pack FROM outbox WHERE pack IS NOT NULL"
)
"""Packs, and bodies of their own, that rows need."""

_RENUMBER = (
    "WITH fresh AS (SELECT m.id AS mailbox, row_number() OVER (PARTITION BY m.account ORDER BY m.id)"
    " + CASE WHEN a.uidvalidity < CAST(?1 AS BIGINT) THEN CAST(?1 AS BIGINT) ELSE a.uidvalidity END AS value"
    " FROM mailbox m JOIN account a ON a.id = m.account)"
    " UPDATE mailbox SET uidvalidity = fresh.value FROM fresh WHERE fresh.mailbox = mailbox.id RETURNING mailbox.id"
)
_REMEMBER = (
    "UPDATE account SET uidvalidity = (SELECT max(m.uidvalidity) FROM mailbox m WHERE m.account = account.id)"
    " WHERE EXISTS (SELECT 1 FROM mailbox m WHERE m.account = account.id)"
)
_LAST_BODY = (
    "SELECT max(id) FROM (SELECT max(id) AS id FROM body UNION ALL SELECT max(body) FROM doomed"
    " UNION ALL SELECT max(body) FROM ledger) b"
)
_LAST_MAILBOX = "SELECT max(id) FROM (SELECT max(id) AS id FROM mailbox UNION ALL SELECT max(mailbox) FROM grave) m"


def restored(cursor: Cursor, now: float) -> int:
    """In the transaction that ends a restore; now: epoch seconds, not before any mail in the packs. How many mailboxes
    got a new UIDVALIDITY."""
    mailboxes = len(cursor.all(_RENUMBER, (int(now),)))
    cursor.execute(_REMEMBER)
    (last_body,) = cursor.one(_LAST_BODY) or (None,)
    (last_mailbox,) = cursor.one(_LAST_MAILBOX) or (None,)
    if cursor.dialect == "sqlite":
        cursor.execute("INSERT INTO state (id, epoch, next_body) VALUES (1, 0, ?)", ((last_body or 0) + 1,))
        # A number of a mailbox that is still being removed must not become another's.
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'mailbox'")
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('mailbox', ?)", (last_mailbox or 0,))
    else:
        cursor.one("SELECT setval('body_numbers', CAST(? AS BIGINT))", ((last_body or 0) // BODY_NUMBERS + 1,))
        cursor.one("SELECT setval(pg_get_serial_sequence('mailbox', 'id'), CAST(? AS BIGINT))", (last_mailbox or 1,))
    return mailboxes
