"""What operators see and do: the queue by pages, captured mail, the trace of a mail."""

from collections.abc import Sequence
from typing import Literal

from barid_contracts.mail import BodyRef, Key
from barid_contracts.queue import CapturedItem, CapturedPage, QueueItem, QueuePage
from barid_contracts.trace import TraceStep
from barid_runtime.database.port import Cursor, Value

from ...policy.timeline import AttemptRow, HeldRow, MailRow, OutcomeRow, QueuedRow, timeline
from ...ports.queue import STATES, Depth
from .dialects import in_dialects, lock_captures, storable
from .rows import lock_mails, put_to_sleep, rows_of

MOST_PAGE = 1000
"""Rows of one page: 300 KB."""

MOST_TRACED = 50
"""Mails of one trace: a Message-ID may be that of many copies."""

_ACTIONS: dict[str, tuple[str, str]] = {
    # A row that somebody has in hand is being tried already.
    "retry": ("due = ?1", "state = 'queued' AND due > ?1 AND lease_until <= {now}"),
    # Also what is in somebody's hands: if that ends without an outcome, the row stays held.
    "hold": ("state = 'held', held_at = ?1", "state = 'queued'"),
    "release": ("state = 'queued', due = ?1, crashes = 0, deaths = 0", "state = 'held'"),
}
_ALL = {
    action: in_dialects(f"UPDATE recipient SET {what} WHERE {where}")  # noqa: S608 - both are constants above
    for action, (what, where) in _ACTIONS.items()
}
_ONE = {
    action: in_dialects(f"UPDATE recipient SET {what} WHERE mail = ?2 AND n = ?3 AND {where}")  # noqa: S608 - as above
    for action, (what, where) in _ACTIONS.items()
}


def act(cursor: Cursor, action: Literal["retry", "hold", "release"], keys: Sequence[Key] | None, now: int) -> int:
    if keys is None:
        cursor.execute(_ALL[action][cursor.dialect], (now,))
        return cursor.changes()
    statement = _ONE[action][cursor.dialect]
    changed = 0
    for mail, n in rows_of(cursor, keys):
        cursor.execute(statement, (now, mail, n))
        changed += cursor.changes()
    return changed


_PAGE = in_dialects(
    "SELECT r.mail, m.mail_id, r.n, CASE WHEN r.state = 'held' THEN 'held'"
    " WHEN r.lease_until > {now} THEN 'leased' WHEN r.due <= ?1 THEN 'due' ELSE 'deferred' END,"
    " m.reverse_path, r.address, r.attempts, r.due, m.queued, r.last_error"
    " FROM recipient r JOIN mail m ON m.id = r.mail WHERE (r.mail, r.n) > (?2, ?3)"
    " AND (CAST(?4 AS TEXT) IS NULL OR r.domain = ?4) ORDER BY r.mail, r.n LIMIT ?5"
)


def page(cursor: Cursor, after: str | None, limit: int, domain: str | None, now: int) -> QueuePage:
    """In the order of queueing. Raises ValueError for an `after` that we did not give."""
    mail, n = _two_numbers(after)
    limit = max(1, min(limit, MOST_PAGE))
    rows = cursor.all(_PAGE[cursor.dialect], (now, mail, n, _asked(domain), limit + 1))
    items = [
        QueueItem(
            mail_id=mail_id,
            n=n,
            state=state,
            reverse_path=reverse_path,
            address=address,
            attempts=attempts,
            due=due,
            queued=queued,
            last_error=last_error,
        )
        for _, mail_id, n, state, reverse_path, address, attempts, due, queued, last_error in rows[:limit]
    ]
    return QueuePage(items=items, next=f"{rows[limit - 1][0]}.{rows[limit - 1][2]}" if len(rows) > limit else None)


def keys(cursor: Cursor, after: int, limit: int) -> tuple[list[Key], int]:
    mails = cursor.all("SELECT DISTINCT mail FROM recipient WHERE mail > ? ORDER BY mail LIMIT ?", (after, limit))
    if not mails:
        return [], 0
    rows = cursor.all(
        "SELECT m.mail_id, r.n FROM recipient r JOIN mail m ON m.id = r.mail WHERE r.mail > ? AND r.mail <= ?",
        (after, mails[-1][0]),
    )
    return [Key(mail_id=mail_id, n=n) for mail_id, n in rows], mails[-1][0]


_CAPTURED = in_dialects(
    "SELECT c.id, m.mail_id, c.n, m.reverse_path, c.address, c.at, m.subject, m.message_id, m.trace, m.pack,"
    ' m."offset",'
    " m.head, m.size FROM captured c JOIN mail m ON m.id = c.mail WHERE c.id > ?1"
    " AND (CAST(?2 AS TEXT) IS NULL OR lower(c.address) = lower(?2))"
    " AND (CAST(?3 AS TEXT) IS NULL OR {find}(lower(m.subject), lower(?3)) > 0)"
    " ORDER BY c.id LIMIT ?4"
)


def captured(cursor: Cursor, after: str | None, limit: int, address: str | None, subject: str | None) -> CapturedPage:
    """Oldest first, so that whoever has read to the end can go on from there. Raises ValueError as `page` does."""
    limit = max(1, min(limit, MOST_PAGE))
    parameters: tuple[Value, ...] = (_number(after), _asked(address), _asked(subject), limit + 1)
    rows = cursor.all(_CAPTURED[cursor.dialect], parameters)
    items = [
        CapturedItem(
            mail_id=mail_id,
            n=n,
            reverse_path=reverse_path,
            address=address,
            at=at,
            subject=subject,
            message_id=message_id,
            size=size + len(trace),
            trace=trace,
            ref=BodyRef(pack=pack, offset=offset, head=head, size=size),
        )
        for _, mail_id, n, reverse_path, address, at, subject, message_id, trace, pack, offset, head, size in rows[
            :limit
        ]
    ]
    return CapturedPage(items=items, next=str(rows[limit - 1][0]) if len(rows) > limit else None)


def clear_captured(cursor: Cursor) -> int:
    """Their outcomes stay in the ledger; their bodies may go."""
    lock_captures(cursor)
    mails = [mail for (mail,) in cursor.all("SELECT DISTINCT mail FROM captured")]
    lock_mails(cursor, mails)
    cursor.execute("DELETE FROM captured")
    cleared = cursor.changes()
    put_to_sleep(cursor, mails)
    return cleared


_DEPTH = in_dialects(
    "SELECT CASE WHEN state = 'held' THEN 'held'"
    " WHEN lease_until > {now} THEN 'leased' WHEN due <= ? THEN 'due' ELSE 'deferred' END, count(*), min(due)"
    " FROM recipient GROUP BY 1"
)


def depth(cursor: Cursor, now: int) -> Depth:
    counts = dict.fromkeys(STATES, 0)
    overdue = 0
    for state, count, due in cursor.all(_DEPTH[cursor.dialect], (now,)):
        counts[state] = int(count)
        if state == "due":
            overdue = max(0, now - int(due))
    return Depth(counts, overdue)


_QUEUED = in_dialects(
    "SELECT n, due, address, lease_until > {now} FROM recipient WHERE mail = ? AND state = 'queued' ORDER BY n"
)


def trace(cursor: Cursor, mail_id: str | None, message_id: str | None, now: int) -> list[TraceStep]:
    column, value = ("mail_id", mail_id) if mail_id else ("message_id", message_id)
    mails = cursor.all(
        f"SELECT id, mail_id, at, reverse_path, subject, parent FROM mail WHERE {column} = ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - one of two constants
        (_asked(value), MOST_TRACED),
    )
    steps: list[TraceStep] = []
    for row, *about in reversed(mails):
        outcomes = cursor.all(
            "SELECT n, outcome, at, address, detail, child FROM ledger WHERE mail = ? ORDER BY n", (row,)
        )
        attempts = cursor.all(
            "SELECT n, number, at, address, host, detail FROM attempt WHERE mail = ? ORDER BY n, number", (row,)
        )
        held = cursor.all(
            "SELECT n, held_at, address, last_error FROM recipient WHERE mail = ? AND state = 'held' ORDER BY n", (row,)
        )
        queued = cursor.all(_QUEUED[cursor.dialect], (row,))
        steps += timeline(
            MailRow(*about),
            [OutcomeRow(*each) for each in outcomes],
            [AttemptRow(*each) for each in attempts],
            [HeldRow(*each) for each in held],
            [QueuedRow(n, due, address, bool(leased)) for n, due, address, leased in queued],
            now,
        )
    return steps


def _asked(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ValueError("no such page")
    return int(text)


def _two_numbers(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, -1
    mail, dot, n = text.partition(".")
    if not dot:
        raise ValueError("no such page")
    return _number(mail), _number(n)
