"""The trace of a mail's remote obligations, in words, from what the ledger and the queue hold."""

from dataclasses import dataclass
from datetime import UTC, datetime

from barid_contracts.trace import TraceStep


@dataclass(frozen=True, slots=True)
class MailRow:
    mail_id: str
    at: int
    reverse_path: str
    subject: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """child: the notice that it made, "" for none."""

    n: int
    outcome: str
    at: int
    address: str
    detail: str
    child: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    n: int
    number: int
    at: int
    address: str
    host: str
    detail: str


@dataclass(frozen=True, slots=True)
class HeldRow:
    n: int
    at: int
    address: str
    detail: str


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """due: epoch ms of the next attempt. leased: somebody has it in hand."""

    n: int
    due: int
    address: str
    leased: bool


def _when(row: QueuedRow, now: int) -> str:
    if row.leased:
        return "being tried"
    if row.due <= now:
        return "for its turn"
    return f"deferred; next attempt at {datetime.fromtimestamp(row.due / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def timeline(
    mail: MailRow,
    outcomes: list[OutcomeRow],
    attempts: list[AttemptRow],
    held: list[HeldRow],
    queued: list[QueuedRow],
    now: int,
) -> list[TraceStep]:
    """Ordered by time. Beside it the mailstore tells of the mail's local obligations, and of its acceptance too."""
    detail = f"from <{mail.reverse_path}>" + (f", subject {mail.subject!r}" if mail.subject else "")
    steps = [TraceStep(at=mail.at, mail_id=mail.mail_id, what="accepted", detail=detail, parent=mail.parent)]
    for attempt in attempts:
        where = f" ({attempt.host})" if attempt.host else ""
        steps.append(
            TraceStep(
                at=attempt.at,
                mail_id=mail.mail_id,
                what="attempt",
                n=attempt.n,
                address=attempt.address,
                detail=f"{attempt.number}{where}: {attempt.detail}",
            )
        )
    for waiting in queued:
        steps.append(
            TraceStep(
                at=max(now, mail.at),
                mail_id=mail.mail_id,
                what="waiting",
                n=waiting.n,
                address=waiting.address,
                detail=_when(waiting, now),
            )
        )
    for row in held:
        steps.append(
            TraceStep(at=row.at, mail_id=mail.mail_id, what="held", n=row.n, address=row.address, detail=row.detail)
        )
    for outcome in outcomes:
        steps.append(
            TraceStep(
                at=outcome.at,
                mail_id=mail.mail_id,
                what=outcome.outcome,
                n=outcome.n,
                address=outcome.address,
                detail=outcome.detail,
            )
        )
    # One notice tells of all that failed together.
    for child, outcome in {outcome.child: outcome for outcome in outcomes if outcome.child}.items():
        steps.append(
            TraceStep(
                at=outcome.at,
                mail_id=child,
                what="child",
                n=outcome.n,
                address=mail.reverse_path,
                detail=f"dsn {child}",
                parent=mail.mail_id,
            )
        )
    return sorted(steps, key=lambda step: step.at)
