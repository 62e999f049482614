"""Rows to and from what the relay speaks of."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from barid_contracts.mail import BodyRef, Key
from barid_runtime.database.port import Cursor, Row

from ...ports.queue import Leased, Parcel

DATABASE_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
"""Leases are kept by the database's time: many processes may share it, and it has one clock."""

PARCEL = (
    "SELECT m.id, m.mail_id, m.at, m.pack, m.offset, m.head, m.size, m.reverse_path, m.trace, m.smtputf8, m.subject,"
    " m.message_id, r.n, r.address, r.original, r.attempts, r.warned, r.crashes, r.epoch"
    " FROM recipient r JOIN mail m ON m.id = r.mail"
)


def parcels(rows: Iterable[Row]) -> list[Parcel]:
    """One per mail, in the order in which their first rows came. `epoch` is that of the lease about to be taken."""
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
            Leased(n, address, original, attempts, bool(warned), crashes, epoch + 1)
            for n, address, original, attempts, warned, crashes, epoch in (each[12:] for each in rows)
        ),
    )


def rows_of(cursor: Cursor, keys: Iterable[Key]) -> list[tuple[int, int]]:
    """The keys of the database for ours; those of mails that are not here are left out."""
    found: list[tuple[int, int]] = []
    for mail_id, group in groupby(sorted((key.mail_id, key.n) for key in keys), key=lambda pair: pair[0]):
        row = cursor.one("SELECT id FROM mail WHERE mail_id = ?", (mail_id,))
        if row is not None:
            found += [(row[0], n) for _, n in group]
    return found
