"""Rows in somebody's hands, and out of them."""

from collections.abc import Sequence

from barid_contracts.mail import Key
from barid_runtime.database.port import Cursor

from ...ports.queue import Parcel
from .rows import DATABASE_NOW, PARCEL, parcels, rows_of

# The order is the index's, so there is no sort; rows leased already are skipped over, and there are few.
_DUE = (
    f"{PARCEL} WHERE r.destination = ? AND r.state = 'queued' AND r.due <= ? AND r.lease_until <= {DATABASE_NOW}"
    " ORDER BY r.due, r.mail, r.n LIMIT ?"
)
_ONE = f"{PARCEL} WHERE r.mail = ? AND r.n = ? AND r.lease_until <= {DATABASE_NOW}"

_TAKE = (
    f"UPDATE recipient SET epoch = epoch + 1, lease_owner = ?, lease_until = {DATABASE_NOW} + ?"  # noqa: S608
    " WHERE mail = ? AND n = ?"
)
_RENEW = f"UPDATE recipient SET lease_until = {DATABASE_NOW} + ? WHERE mail = ? AND n = ? AND epoch = ?"  # noqa: S608
_GIVE_BACK = "UPDATE recipient SET lease_until = 0, lease_owner = '' WHERE mail = ? AND n = ? AND epoch = ?"


def _take(cursor: Cursor, found: list[Parcel], owner: str, seconds: float) -> list[Parcel]:
    cursor.executemany(
        _TAKE, [(owner, int(seconds * 1000), parcel.row, each.n) for parcel in found for each in parcel.recipients]
    )
    return found


def lease(cursor: Cursor, destination: str, now: int, limit: int, owner: str, seconds: float) -> list[Parcel]:
    return _take(cursor, parcels(cursor.all(_DUE, (destination, now, limit))), owner, seconds)


def lease_keys(cursor: Cursor, keys: Sequence[Key], owner: str, seconds: float) -> list[Parcel]:
    rows = [row for pair in rows_of(cursor, keys) for row in cursor.all(_ONE, pair)]
    return _take(cursor, parcels(rows), owner, seconds)


def renew(cursor: Cursor, found: Sequence[Parcel], seconds: float) -> None:
    ms = int(seconds * 1000)
    cursor.executemany(_RENEW, [(ms, parcel.row, each.n, each.epoch) for parcel in found for each in parcel.recipients])


def give_back(cursor: Cursor, found: Sequence[Parcel]) -> None:
    cursor.executemany(_GIVE_BACK, [(parcel.row, each.n, each.epoch) for parcel in found for each in parcel.recipients])


def due(cursor: Cursor, now: int) -> tuple[set[str], int | None]:
    """Rows that are leased are nobody's next work until their time has passed; the poll finds them then."""
    rows = cursor.all(
        "SELECT DISTINCT destination FROM recipient WHERE state = 'queued' AND due <= ?"  # noqa: S608
        f" AND lease_until <= {DATABASE_NOW}",
        (now,),
    )
    later = cursor.one("SELECT min(due) FROM recipient WHERE state = 'queued' AND due > ?", (now,))
    return {row[0] for row in rows}, later[0] if later else None
