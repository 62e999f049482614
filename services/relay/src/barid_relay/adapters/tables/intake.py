"""Into the queue: new mails, and what a restart finds."""

import json
from collections.abc import Callable, Sequence

from barid_contracts.mail import Key
from barid_runtime.database.port import Cursor, Value

from ...ports.queue import NewMail, NewRecipient
from .dialects import in_dialects, storable
from .leases import DEATHS_MOST

REGATHERED = 1_000
"""Rows that get another destination in one transaction."""

# One at a time in a file, where a statement costs microseconds; all at once where it is a round trip.
_MAIL = (
    'INSERT INTO mail (mail_id, at, queued, reverse_path, trace, smtputf8, subject, message_id, parent, pack, "offset",'
    " head, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_RECIPIENT = (
    "INSERT INTO recipient (mail, n, address, original, domain, destination, state, due)"
    " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?) ON CONFLICT DO NOTHING"
)
# In the order of their names: two relays that got the same mails wait for each other one way only.
_MAILS = (
    'INSERT INTO mail (mail_id, at, queued, reverse_path, trace, smtputf8, subject, message_id, parent, pack, "offset",'
    ' head, size) SELECT mail_id, at, ?2, reverse_path, trace, smtputf8, subject, message_id, parent, pack, "offset",'
    " head, size FROM json_to_recordset(CAST(?1 AS JSON)) AS k(mail_id TEXT, at BIGINT, reverse_path TEXT, trace TEXT,"
    ' smtputf8 BOOLEAN, subject TEXT, message_id TEXT, parent TEXT, pack TEXT, "offset" BIGINT, head BIGINT,'
    " size BIGINT) ORDER BY mail_id ON CONFLICT (mail_id) DO NOTHING RETURNING mail_id, id"
)
# At once by anybody's clock: a relay whose own is ahead must not make the others wait with what it took in.
_RECIPIENTS = in_dialects(
    "INSERT INTO recipient (mail, n, address, original, domain, destination, state, due)"
    " SELECT mail, n, address, original, domain, destination, 'queued', LEAST(CAST(?2 AS BIGINT), {now})"
    " FROM json_to_recordset(CAST(?1 AS JSON))"
    " AS k(mail BIGINT, n INTEGER, address TEXT, original TEXT, domain TEXT, destination TEXT)"
    " ON CONFLICT DO NOTHING RETURNING mail"
)["postgres"]
_KNOWN = in_dialects("SELECT mail_id, id FROM mail WHERE mail_id IN (SELECT value FROM {each}) ORDER BY id {lock}")[
    "postgres"
]
_DONE = in_dialects("SELECT mail, n FROM ledger WHERE mail IN (SELECT CAST(value AS BIGINT) FROM {each})")["postgres"]
_AWAKE = "UPDATE mail SET live = TRUE, trace = ? WHERE id = ? AND NOT live"


def enqueue(cursor: Cursor, mails: Sequence[NewMail], now: int) -> int:
    """How many rows were new."""
    if cursor.dialect == "postgres":
        return _enqueue_all(cursor, mails, now)
    added = 0
    for mail in mails:
        known = cursor.one("SELECT id FROM mail WHERE mail_id = ?", (mail.mail_id,))
        if known is None:
            known = cursor.one(_MAIL, _mail(mail, now))
            assert known is not None
            cursor.executemany(_RECIPIENT, [_recipient(known[0], each, now) for each in mail.recipients])
            added += len(mail.recipients)
            continue
        done = {n for (n,) in cursor.execute("SELECT n FROM ledger WHERE mail = ?", known)}
        before = added
        for each in mail.recipients:
            if each.n not in done:
                cursor.execute(_RECIPIENT, _recipient(known[0], each, now))
                added += cursor.changes()
        if added > before:
            # It may have been asleep: whoever publishes again may name recipients that an earlier event did not.
            cursor.execute(_AWAKE, (mail.trace, known[0]))
    return added


def _mail(mail: NewMail, now: int) -> tuple[Value, ...]:
    ref = mail.ref
    return (
        mail.mail_id,
        mail.at,
        now,
        mail.reverse_path,
        mail.trace,
        mail.smtputf8,
        storable(mail.subject),
        storable(mail.message_id),
        mail.parent,
        ref.pack,
        ref.offset,
        ref.head,
        ref.size,
    )


def _recipient(mail: int, each: NewRecipient, now: int) -> tuple[Value, ...]:
    return (mail, each.n, each.address, each.original, each.domain, each.destination, now)


def _enqueue_all(cursor: Cursor, mails: Sequence[NewMail], now: int) -> int:
    """Two statements for a batch that is new, four for one that came before."""
    new: dict[str, int] = dict(cursor.all(_MAILS, (json.dumps([_mail_object(mail) for mail in mails]), now)))
    came_before = sorted({mail.mail_id for mail in mails} - new.keys())
    known: dict[str, int] = {}
    done: set[tuple[int, int]] = set()
    if came_before:
        known = dict(cursor.all(_KNOWN, (json.dumps(came_before),)))
        done = {(mail, n) for mail, n in cursor.all(_DONE, (json.dumps(list(known.values())),))}
    rows = [
        {
            "mail": row,
            "n": each.n,
            "address": storable(each.address),
            "original": storable(each.original),
            "domain": storable(each.domain),
            "destination": storable(each.destination),
        }
        for mail, row in ((mail, new.get(mail.mail_id) or known[mail.mail_id]) for mail in mails)
        for each in mail.recipients
        if (row, each.n) not in done
    ]
    if not rows:
        return 0
    added = [row for (row,) in cursor.all(_RECIPIENTS, (json.dumps(rows), now))]
    awake = set(added) & set(known.values())
    for mail in mails:
        if known.get(mail.mail_id) in awake:
            cursor.execute(_AWAKE, (storable(mail.trace), known[mail.mail_id]))
    return len(added)


def _mail_object(mail: NewMail) -> dict[str, Value]:
    ref = mail.ref
    return {
        "mail_id": mail.mail_id,
        "at": mail.at,
        "reverse_path": storable(mail.reverse_path),
        "trace": storable(mail.trace),
        "smtputf8": mail.smtputf8,
        "subject": storable(mail.subject),
        "message_id": storable(mail.message_id),
        "parent": mail.parent,
        "pack": ref.pack,
        "offset": ref.offset,
        "head": ref.head,
        "size": ref.size,
    }


def end_leases(cursor: Cursor, now: int) -> int:
    """A file has one owner, so whoever held leases is gone: they end now, without waiting for their time. In a shared
    database it may be alive: there they run out.

    A lease that was ours in a dead process is counted; given back in order, it was not there any more.
    """
    if cursor.dialect != "sqlite":
        return 0
    cursor.execute("UPDATE recipient SET lease_until = 0, deaths = deaths + 1 WHERE lease_until > 0")
    ended = cursor.changes()
    if ended:
        cursor.execute(
            "UPDATE recipient SET state = 'held', held_at = ?, last_error = 'the relay ended ' || deaths ||"
            " ' times while it had this in hand' WHERE state = 'queued' AND deaths >= ?",
            (now, DEATHS_MOST),
        )
    return ended


def gathered(cursor: Cursor) -> list[tuple[str, str]]:
    """All pairs of domain and destination."""
    return [(domain, known) for domain, known in cursor.all("SELECT DISTINCT domain, destination FROM recipient")]


_REGATHER = in_dialects(
    "UPDATE recipient SET destination = ?1 WHERE (mail, n) IN (SELECT mail, n FROM recipient"
    " WHERE domain = ?2 AND destination = ?3 ORDER BY mail, n LIMIT ?4 {lock})"
)


def regather(cursor: Cursor, domain: str, known: str, wanted: str) -> int:
    """One slice of those rows; 0 when there are none left."""
    cursor.execute(_REGATHER[cursor.dialect], (wanted, domain, known, REGATHERED))
    return cursor.changes()


def moved(pairs: Sequence[tuple[str, str]], destination: Callable[[str], str]) -> list[tuple[str, str, str]]:
    """Of those pairs, what has another destination by now: domain, known, wanted."""
    return [(domain, known, wanted) for domain, known in pairs if (wanted := destination(domain)) != known]


_MISSING = (
    "SELECT m.id, EXISTS (SELECT 1 FROM recipient r WHERE r.mail = m.id AND r.n = ?1)"
    " OR EXISTS (SELECT 1 FROM ledger l WHERE l.mail = m.id AND l.n = ?1) FROM mail m WHERE m.mail_id = ?2"
)
_MISSING_OF_ALL = (
    "SELECT k.mail_id, k.n FROM json_to_recordset(CAST(?1 AS JSON)) AS k(mail_id TEXT, n BIGINT)"
    " LEFT JOIN mail m ON m.mail_id = k.mail_id WHERE m.id IS NULL"
    " OR NOT EXISTS (SELECT 1 FROM recipient r WHERE r.mail = m.id AND r.n = k.n)"
    " AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.mail = m.id AND l.n = k.n)"
)


def missing(cursor: Cursor, keys: Sequence[Key]) -> list[Key]:
    if cursor.dialect == "postgres":
        wanted = json.dumps([{"mail_id": key.mail_id, "n": key.n} for key in keys])
        absent = {(mail_id, n) for mail_id, n in cursor.all(_MISSING_OF_ALL, (wanted,))}
        return [key for key in keys if (key.mail_id, key.n) in absent]
    found = []
    for key in keys:
        row = cursor.one(_MISSING, (key.n, key.mail_id))
        if row is None or not row[1]:
            found.append(key)
    return found


_REFERENCED = in_dialects("SELECT value FROM {each} WHERE EXISTS (SELECT 1 FROM mail WHERE pack = value AND live)")


def referenced(cursor: Cursor, packs: Sequence[str]) -> list[str]:
    there = {pack for (pack,) in cursor.all(_REFERENCED[cursor.dialect], (json.dumps(list(packs)),))}
    return [pack for pack in packs if pack in there]
