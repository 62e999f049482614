"""Into the queue: new mails, and what a restart finds."""

from collections.abc import Callable, Sequence

from barid_contracts.mail import Key
from barid_runtime.database.port import Cursor, Value

from ...ports.queue import NewMail, NewRecipient

DEATHS_MOST = 10
"""Restarts that found a row leased. It may be what ends the process each time; it may also have stood in line only, so
this is far more than the crashes that are surely a mail's own."""

_MAIL = (
    "INSERT INTO mail (mail_id, at, queued, reverse_path, trace, smtputf8, subject, message_id, parent, pack, offset,"
    " head, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)

_RECIPIENT = (
    "INSERT INTO recipient (mail, n, address, original, domain, destination, state, due)"
    " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?) ON CONFLICT DO NOTHING"
)


def enqueue(cursor: Cursor, mails: Sequence[NewMail], now: int) -> int:
    """How many rows were new."""
    added = 0
    for mail in mails:
        known = cursor.one("SELECT id FROM mail WHERE mail_id = ?", (mail.mail_id,))
        if known is None:
            ref = mail.ref
            known = cursor.one(
                _MAIL,
                (
                    mail.mail_id,
                    mail.at,
                    now,
                    mail.reverse_path,
                    mail.trace,
                    mail.smtputf8,
                    mail.subject,
                    mail.message_id,
                    mail.parent,
                    ref.pack,
                    ref.offset,
                    ref.head,
                    ref.size,
                ),
            )
            assert known is not None
            cursor.executemany(_RECIPIENT, [_row(known[0], each, now) for each in mail.recipients])
            added += len(mail.recipients)
            continue
        done = {n for (n,) in cursor.execute("SELECT n FROM ledger WHERE mail = ?", known)}
        before = added
        for each in mail.recipients:
            if each.n not in done:
                cursor.execute(_RECIPIENT, _row(known[0], each, now))
                added += cursor.changes()
        if added > before:
            # It may have been asleep: whoever publishes again may name recipients that an earlier event did not.
            cursor.execute("UPDATE mail SET live = 1, trace = ? WHERE id = ? AND NOT live", (mail.trace, known[0]))
    return added


def _row(mail: int, each: NewRecipient, now: int) -> tuple[Value, ...]:
    return (mail, each.n, each.address, each.original, each.domain, each.destination, now)


def recover(cursor: Cursor, destination: Callable[[str], str], now: int) -> int:
    """The file has one owner, so whoever held leases is gone: they end now, without waiting for their time.

    A lease that was ours in a dead process is counted; given back in order, it was not there any more.
    """
    cursor.execute("UPDATE recipient SET lease_until = 0, deaths = deaths + 1 WHERE lease_until > 0")
    ended = cursor.changes()
    if ended:
        cursor.execute(
            "UPDATE recipient SET state = 'held', held_at = ?, last_error = 'the relay ended ' || deaths ||"
            " ' times while it had this in hand' WHERE state = 'queued' AND deaths >= ?",
            (now, DEATHS_MOST),
        )
    for domain, known in cursor.all("SELECT DISTINCT domain, destination FROM recipient"):
        wanted = destination(domain)
        if wanted != known:
            cursor.execute(
                "UPDATE recipient SET destination = ? WHERE domain = ? AND destination = ?", (wanted, domain, known)
            )
    return ended


_MISSING = (
    "SELECT m.id, EXISTS (SELECT 1 FROM recipient r WHERE r.mail = m.id AND r.n = ?1)"
    " OR EXISTS (SELECT 1 FROM ledger l WHERE l.mail = m.id AND l.n = ?1) FROM mail m WHERE m.mail_id = ?2"
)


def missing(cursor: Cursor, keys: Sequence[Key]) -> list[Key]:
    found = []
    for key in keys:
        row = cursor.one(_MISSING, (key.n, key.mail_id))
        if row is None or not row[1]:
            found.append(key)
    return found


def referenced(cursor: Cursor, packs: Sequence[str]) -> list[str]:
    return [pack for pack in packs if cursor.one("SELECT 1 FROM mail WHERE pack = ? AND live LIMIT 1", (pack,))]
