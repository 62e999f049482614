"""Rows in somebody's hands, and out of them.

A lease is a time until which a row is somebody's, and an `epoch` that grows by one whenever it is taken. The time says
when another may take it; the epoch is what settling looks at, so whoever comes too late changes nothing.
"""

import json
from collections.abc import Iterable, Sequence

from barid_contracts.mail import Key
from barid_runtime.database.port import Cursor, Row

from ...ports.queue import Parcel
from .dialects import in_dialects
from .rows import MAIL_COLUMNS, parcels, rows_of

DEATHS_MOST = 10
"""Leases that ended with their owner. The row may be what ends the process each time; it may also have stood in line
only, so this is far more than the crashes that are surely a mail's own."""

_PICK = (
    "FROM recipient WHERE destination = ?1 AND state = 'queued' AND due <= ?2 AND lease_until <= {now}"
    # The order is the index's, so there is no sort; rows leased already are skipped over, and there are few.
    " ORDER BY due, mail, n LIMIT ?3"
)
_TAKEN = "epoch = epoch + 1, deaths = CASE WHEN lease_until > 0 THEN deaths + 1 ELSE deaths END"

# In a file: look, then take.
_LOOK = (
    f"SELECT {MAIL_COLUMNS}, r.n, r.address, r.original, r.attempts, r.warned, r.crashes, r.epoch + 1,"  # noqa: S608
    " CASE WHEN r.lease_until > 0 THEN r.deaths + 1 ELSE r.deaths END FROM recipient r JOIN mail m ON m.id = r.mail"
)
_LOOK_DUE = in_dialects(
    f"{_LOOK} WHERE r.destination = ? AND r.state = 'queued' AND r.due <= ? AND r.lease_until <= {{now}}"
    " ORDER BY r.due, r.mail, r.n LIMIT ?"
)["sqlite"]
_LOOK_ONE = in_dialects(f"{_LOOK} WHERE r.mail = ? AND r.n = ? AND r.lease_until <= {{now}}")["sqlite"]
_TAKE = in_dialects(
    f"UPDATE recipient SET {_TAKEN}, lease_owner = ?, lease_until = {{now}} + ? WHERE mail = ? AND n = ?"  # noqa: S608
)["sqlite"]

# In a shared database: in one statement, and what another takes at this moment is not waited for.
_TAKE_PICKED = (
    f" UPDATE recipient r SET {_TAKEN}, lease_owner = ?4, lease_until = {{now}} + ?5 FROM picked"  # noqa: S608
    " WHERE r.mail = picked.mail AND r.n = picked.n RETURNING r.*"
)
_RETURN = (
    f"SELECT {MAIL_COLUMNS}, r.n, r.address, r.original, r.attempts, r.warned, r.crashes, r.epoch, r.deaths"  # noqa: S608
    " FROM taken r JOIN mail m ON m.id = r.mail ORDER BY r.due, r.mail, r.n"
)
_LEASE = in_dialects(
    f"WITH picked AS MATERIALIZED (SELECT mail, n {_PICK} {{free}}), taken AS ({_TAKE_PICKED}) {_RETURN}"
)["postgres"]
_LEASE_KEYS = in_dialects(
    "WITH picked AS MATERIALIZED (SELECT r.mail, r.n FROM recipient r"  # noqa: S608
    " JOIN json_to_recordset(CAST(?1 AS JSON)) AS k(mail BIGINT, n BIGINT) ON r.mail = k.mail AND r.n = k.n"
    " WHERE r.lease_until <= {now} FOR UPDATE OF r SKIP LOCKED),"
    f" taken AS ({_TAKE_PICKED.replace('?4', '?2').replace('?5', '?3')}) {_RETURN}"
)["postgres"]

_HOLD = (
    "UPDATE recipient SET state = 'held', held_at = ?, lease_until = 0, lease_owner = '',"
    " last_error = 'the relay ended ' || deaths || ' times while it had this in hand' WHERE mail = ? AND n = ?"
)
# What was settled or given back at this moment is nobody's.
_RENEW = in_dialects(
    "UPDATE recipient SET lease_until = {now} + ? WHERE mail = ? AND n = ? AND epoch = ? AND lease_until > 0"
)["sqlite"]
_RENEW_ALL = in_dialects(
    "UPDATE recipient r SET lease_until = {now} + ?2 FROM json_to_recordset(CAST(?1 AS JSON))"
    " AS k(mail BIGINT, n BIGINT, epoch BIGINT) WHERE r.mail = k.mail AND r.n = k.n AND r.epoch = k.epoch"
    " AND r.lease_until > 0 RETURNING r.mail, r.n"
)["postgres"]
_GIVE_BACK = "UPDATE recipient SET lease_until = 0, lease_owner = '' WHERE mail = ? AND n = ? AND epoch = ?"

_DUE = in_dialects(
    "SELECT DISTINCT destination FROM recipient WHERE state = 'queued' AND due <= ? AND lease_until <= {now}"
)


def lease(cursor: Cursor, destination: str, now: int, limit: int, owner: str, seconds: float) -> list[Parcel]:
    ms = int(seconds * 1000)
    if cursor.dialect == "sqlite":
        rows = _take(cursor, cursor.all(_LOOK_DUE, (destination, now, limit)), owner, ms)
    else:
        rows = cursor.all(_LEASE, (destination, now, limit, owner, ms))
    return parcels(_without_deadly(cursor, rows, now))


def lease_keys(cursor: Cursor, keys: Sequence[Key], owner: str, seconds: float) -> list[Parcel]:
    ms = int(seconds * 1000)
    pairs = rows_of(cursor, keys)
    if cursor.dialect == "sqlite":
        found = [row for pair in pairs for row in cursor.all(_LOOK_ONE, pair)]
        return parcels(_take(cursor, found, owner, ms))
    wanted = json.dumps([{"mail": mail, "n": n} for mail, n in pairs])
    return parcels(cursor.all(_LEASE_KEYS, (wanted, owner, ms)))


def _take(cursor: Cursor, rows: list[Row], owner: str, ms: int) -> list[Row]:
    cursor.executemany(_TAKE, [(owner, ms, row[0], row[12]) for row in rows])
    return rows


def _without_deadly(cursor: Cursor, rows: Iterable[Row], now: int) -> list[Row]:
    """Those at which too many owners ended wait for an operator."""
    kept = []
    for row in rows:
        if row[19] < DEATHS_MOST:
            kept.append(row)
        else:
            cursor.execute(_HOLD, (now, row[0], row[12]))
    return kept


def renew(cursor: Cursor, found: Sequence[Parcel], seconds: float) -> set[tuple[int, int]]:
    """The rows that are ours still."""
    ms = int(seconds * 1000)
    ours = [(parcel.row, each.n, each.epoch) for parcel in found for each in parcel.recipients]
    if cursor.dialect == "postgres":
        leases = json.dumps([{"mail": mail, "n": n, "epoch": epoch} for mail, n, epoch in ours])
        return {(mail, n) for mail, n in cursor.all(_RENEW_ALL, (leases, ms))}
    kept = set()
    for mail, n, epoch in ours:
        cursor.execute(_RENEW, (ms, mail, n, epoch))
        if cursor.changes():
            kept.add((mail, n))
    return kept


def give_back(cursor: Cursor, found: Sequence[Parcel]) -> None:
    cursor.executemany(_GIVE_BACK, [(parcel.row, each.n, each.epoch) for parcel in found for each in parcel.recipients])


def due(cursor: Cursor, now: int) -> tuple[set[str], int | None]:
    """Rows that are leased are nobody's next work until their time has passed; the poll finds them then."""
    rows = cursor.all(_DUE[cursor.dialect], (now,))
    later = cursor.one("SELECT min(due) FROM recipient WHERE state = 'queued' AND due > ?", (now,))
    return {row[0] for row in rows}, later[0] if later else None
