"""Rows to and from what the relay speaks of."""

import json
from collections.abc import Iterable, Sequence

from barid_contracts.mail import BodyRef, Key
from barid_runtime.database.port import Cursor, Row

from ...ports.queue import Leased, Parcel
from .dialects import in_dialects

MAIL_COLUMNS = (
    'm.id, m.mail_id, m.at, m.pack, m."offset", m.head, m.size, m.reverse_path, m.trace, m.smtputf8, m.subject,'
    " m.message_id"
)

_ROWS = in_dialects("SELECT mail_id, id FROM mail WHERE mail_id IN (SELECT value FROM {each})")

_ASLEEP = in_dialects(
    "UPDATE mail SET live = FALSE, trace = '' WHERE id IN (SELECT CAST(value AS BIGINT) FROM {each})"
    " AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.mail = mail.id)"
    " AND NOT EXISTS (SELECT 1 FROM captured c WHERE c.mail = mail.id)"
)
_LOCK = in_dialects("SELECT id FROM mail WHERE id IN (SELECT CAST(value AS BIGINT) FROM {each}) ORDER BY id {lock}")


def parcels(rows: Iterable[Row]) -> list[Parcel]:
    """From MAIL_COLUMNS and a recipient's n, address, original, attempts, warned, crashes, epoch; one per mail, in the
    order in which their first rows came. `epoch` is that of the lease that was taken."""
    ordered: dict[int, list[Row]] = {}
    for row in rows:
        ordered.setdefault(row[0], []).append(row)
    return [_parcel(group) for group in ordered.values()]


def _parcel(rows: Sequence[Row]) -> Parcel:
    row, mail_id, at, pack, offset, head, size, reverse_path, trace, smtputf8, subject, message_id = rows[0][:12]
    return Parcel(
        row=row,
        mail_id=mail_id,
        at=at,
        ref=BodyRef(pack=pack, offset=offset, head=head, size=size),
        reverse_path=reverse_path,
        trace=trace,
        smtputf8=bool(smtputf8),
        subject=subject,
        message_id=message_id,
        recipients=tuple(
            Leased(n, address, original, attempts, bool(warned), crashes, epoch)
            for n, address, original, attempts, warned, crashes, epoch in (each[12:19] for each in rows)
        ),
    )


def rows_of(cursor: Cursor, keys: Iterable[Key]) -> list[tuple[int, int]]:
    """The keys of the database for ours; those of mails that are not here are left out."""
    wanted = sorted({(key.mail_id, key.n) for key in keys})
    names = json.dumps(sorted({mail_id for mail_id, _ in wanted}))
    rows: dict[str, int] = dict(cursor.all(_ROWS[cursor.dialect], (names,)))
    return [(rows[mail_id], n) for mail_id, n in wanted if mail_id in rows]


def lock_mails(cursor: Cursor, mails: Iterable[int]) -> None:
    """Whoever takes the last recipient from a mail puts it to sleep. Two relays that take one each must see each other,
    so they take turns; and the mail's row is the first that is locked, so that they don't wait for each other."""
    if cursor.dialect == "postgres":
        cursor.execute(_LOCK[cursor.dialect], (json.dumps(sorted(set(mails))),))


def put_to_sleep(cursor: Cursor, mails: Iterable[int]) -> None:
    """Those with nobody left to go to, and captured for nobody: their bodies may go. They are locked."""
    cursor.execute(_ASLEEP[cursor.dialect], (json.dumps(sorted(set(mails))),))
