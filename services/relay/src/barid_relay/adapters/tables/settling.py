"""Outcomes: from the queue to the ledger, with the notices that they make, in one transaction.

It begins with the epochs: whoever's lease was taken by another, while it stood still or could not reach the database,
writes nothing.
"""

import json
from collections.abc import Sequence
from typing import Any

from barid_contracts.queue import CapturedItem
from barid_contracts.settle import Child
from barid_runtime.database.port import Cursor, Dialect, Value

from ...ports.hosts import Fate
from ...ports.queue import Compose, Parcel, Result, Settled
from .dialects import lock_captures, storable

ATTEMPTS_KEPT = 20
"""The last attempts of each recipient: more than five days at the default pauses make in their tail that matters."""

ERROR_MOST = 500
"""Characters of an error in the queue."""

# The mail's row with its recipients', in one round trip, where others may take another recipient of it (`lock_mails`).
_EPOCHS: dict[Dialect, str] = {
    "sqlite": "SELECT n, epoch FROM recipient WHERE mail = ? AND n BETWEEN ? AND ?",
    "postgres": "SELECT r.n, r.epoch FROM mail m JOIN recipient r ON r.mail = m.id WHERE m.id = ?"
    " AND r.n BETWEEN ? AND ? FOR UPDATE",
}
_LEDGER = "INSERT INTO ledger (mail, n, outcome, at, address, attempts, detail, child) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_LATER = (
    "UPDATE recipient SET due = ?, attempts = attempts + ?, crashes = CASE WHEN ? THEN crashes + 1 ELSE 0 END,"
    " deaths = 0, warned = warned OR ?, last_error = ?, lease_until = 0, lease_owner = '' WHERE mail = ? AND n = ?"
)
_HOLD = (
    "UPDATE recipient SET state = 'held', held_at = ?, crashes = crashes + ?, last_error = ?, lease_until = 0,"
    " lease_owner = '' WHERE mail = ? AND n = ?"
)
_ATTEMPT = "INSERT INTO attempt (mail, n, number, at, address, host, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"
_CAPTURE = "INSERT INTO captured (mail, n, address, at) VALUES (?, ?, ?, ?)"
_ASLEEP = (
    "UPDATE mail SET live = FALSE, trace = '' WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM recipient WHERE mail = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM captured WHERE mail = ?1)"
)
# The same four in one, where each would be a round trip: half of what a mail costs there. All parts of it see what was
# before it, so whose end it is is left out by name.
_END = (
    "WITH ended AS (SELECT * FROM unnest(?3::int[], ?4::text[], ?5::text[], ?6::int[], ?7::text[], ?8::text[])"  # noqa: S608
    " v (n, outcome, address, attempts, detail, child)),"
    " gone AS (DELETE FROM recipient r USING ended e WHERE r.mail = ?1::bigint AND r.n = e.n),"
    " kept AS (INSERT INTO captured (mail, n, address, at)"
    f" SELECT ?1::bigint, n, address, ?2::bigint FROM ended WHERE outcome = '{Fate.CAPTURED.value}' ORDER BY n),"
    " asleep AS (UPDATE mail SET live = FALSE, trace = '' WHERE id = ?1::bigint"
    f" AND '{Fate.CAPTURED.value}' <> ALL(?4::text[])"
    " AND NOT EXISTS (SELECT 1 FROM recipient WHERE mail = ?1::bigint AND n <> ALL(?3::int[]))"
    " AND NOT EXISTS (SELECT 1 FROM captured WHERE mail = ?1::bigint))"
    " INSERT INTO ledger (mail, n, outcome, at, address, attempts, detail, child)"
    " SELECT ?1::bigint, n, outcome, ?2::bigint, address, attempts, detail, child FROM ended"
)


def settle(cursor: Cursor, parcel: Parcel, results: Sequence[Result], now: int, compose: Compose) -> Settled:
    numbers = [result.recipient.n for result in results]
    if any(result.fate is Fate.CAPTURED for result in results):
        lock_captures(cursor)
    rows = cursor.all(_EPOCHS[cursor.dialect], (parcel.row, min(numbers), max(numbers))) if numbers else []
    epochs: dict[int, int] = dict(rows)
    ours = [result for result in results if epochs.get(result.recipient.n) == result.recipient.epoch]
    if not ours:
        return Settled((), compose(()))
    notices = compose(ours)
    captured: list[CapturedItem] = []
    ledger: list[tuple[Value, ...]] = []
    for result in ours:
        key = (parcel.row, result.recipient.n)
        if result.fate is Fate.DEFERRED:
            _defer(cursor, key, result, now)
        elif result.fate is Fate.HELD:
            cursor.execute(_HOLD, (now, int(result.crash), storable(result.answer.text)[:ERROR_MOST], *key))
        else:
            child = notices.failed.mail_id if result.fate is Fate.BOUNCED and notices.failed else ""
            ledger.append(_entry(key, result, now, child))
            if result.fate is Fate.CAPTURED:
                captured.append(_captured(parcel, result, now))
    if ledger:
        _end(cursor, parcel.row, ledger, captured, now)
    for notice in (notices.failed, notices.delayed):
        if notice is not None:
            _to_outbox(cursor, parcel, notice, now)
    return Settled(ours, notices, captured)


def _end(
    cursor: Cursor, mail: int, ledger: Sequence[tuple[Value, ...]], captured: Sequence[CapturedItem], now: int
) -> None:
    """Of these recipients; and the mail sleeps when nobody is left."""
    if cursor.dialect == "postgres":
        _, n, outcomes, _, addresses, *others = (list(column) for column in zip(*ledger, strict=True))
        parameters: Any = (mail, now, n, outcomes, addresses, *others)
        cursor.execute(_END, parameters)
        return
    for each in captured:
        cursor.execute(_CAPTURE, (mail, each.n, each.address, now))
    cursor.executemany("DELETE FROM recipient WHERE mail = ? AND n = ?", [entry[:2] for entry in ledger])
    cursor.executemany(_LEDGER, ledger)
    if not captured:
        cursor.execute(_ASLEEP, (mail,))


def _defer(cursor: Cursor, key: tuple[int, int], result: Result, now: int) -> None:
    recipient, answer = result.recipient, result.answer
    tried = 0 if result.crash else 1
    error = storable(answer.text)[:ERROR_MOST]
    cursor.execute(_LATER, (result.due, tried, result.crash, result.warn, error, *key))
    if tried:
        number = recipient.attempts + 1
        said = storable(answer.reply or answer.reason)[:ERROR_MOST]
        cursor.execute(_ATTEMPT, (*key, number, now, recipient.address, answer.host, said))
        cursor.execute("DELETE FROM attempt WHERE mail = ? AND n = ? AND number <= ?", (*key, number - ATTEMPTS_KEPT))


def _entry(key: tuple[int, int], result: Result, now: int, child: str) -> tuple[Value, ...]:
    """The ledger's row."""
    recipient = result.recipient
    detail = storable(result.answer.text)[:ERROR_MOST]
    if result.expired:
        detail = f"given up after its time; last: {detail}"
    if result.fate is Fate.BOUNCED and not child:
        detail += "; nobody is told, as its reverse path is null"
    attempts = recipient.attempts + (0 if result.fate is Fate.CAPTURED else 1)
    return (*key, result.fate.value, now, recipient.address, attempts, detail, child)


def _to_outbox(cursor: Cursor, parcel: Parcel, notice: Child, now: int) -> None:
    cursor.execute(
        "INSERT INTO outbox (mail_id, parent, reverse_path, recipients, content, at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (notice.mail_id, parcel.mail_id, notice.reverse_path, json.dumps(notice.recipients), notice.content, now),
    )


def _captured(parcel: Parcel, result: Result, now: int) -> CapturedItem:
    return CapturedItem(
        mail_id=parcel.mail_id,
        n=result.recipient.n,
        reverse_path=parcel.reverse_path,
        address=result.recipient.address,
        at=now,
        subject=parcel.subject,
        message_id=parcel.message_id,
        size=parcel.ref.size + len(parcel.trace),
        trace=parcel.trace,
        ref=parcel.ref,
    )
