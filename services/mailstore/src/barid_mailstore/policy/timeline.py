"""The trace of a mail, in words, from what the ledger holds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from barid_contracts.trace import TraceStep

_DIGITS = {character: value for value, character in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """detail: JSON of mailboxes, rules, reason, children, and of a child mail parent and when it was accepted (epoch
    ms); None for a plain filing in INBOX. subject: None once the
    last copy is gone."""

    n: int
    outcome: str
    at: int
    address: str
    reverse_path: str | None
    detail: str | None
    subject: str | None


def time_of(mail_id: str) -> int:
    """Epoch ms when the id was made, which is when the mail was accepted."""
    value = 0
    for character in mail_id[:10]:
        value = value << 5 | _DIGITS.get(character, 0)
    return value


def _words(row: LedgerRow, detail: dict[str, Any]) -> str:
    parts: list[str] = []
    if row.outcome in ("filed", "appended"):
        parts.append("in " + ", ".join(detail.get("mailboxes") or ["INBOX"]))
    if detail.get("reason"):
        parts.append(str(detail["reason"]))
    if detail.get("rules"):
        parts.append("rules: " + "; ".join(detail["rules"]))
    return "; ".join(parts)


def timeline(
    mail_id: str,
    rows: Sequence[LedgerRow],
    attempts: Sequence[tuple[Any, ...]],
    released: Sequence[tuple[Any, ...]],
    given_up: Sequence[tuple[Any, ...]],
) -> list[TraceStep]:
    """attempts: (n, count, at, error). released: (n, at, reason). given_up: children, (mail_id, at, kind, reason)."""
    steps: list[TraceStep] = []
    details: list[dict[str, Any]] = [json.loads(row.detail) if row.detail else {} for row in rows]
    if rows:
        origin = next((row.reverse_path for row in rows if row.reverse_path is not None), None)
        subject = next((row.subject for row in rows if row.subject), "")
        detail = "" if origin is None else f"from <{origin}>"  # nobody knows of a record that can't be read
        detail += f", subject {subject!r}" if subject else ""
        at = next((told["accepted"] for told in details if "accepted" in told), time_of(mail_id))
        parent = next((told["parent"] for told in details if "parent" in told), None)
        steps.append(TraceStep(at=at, mail_id=mail_id, what="accepted", detail=detail, parent=parent))
    for n, count, at, error in attempts:
        steps.append(TraceStep(at=at, mail_id=mail_id, what="attempt", n=n, detail=f"{count}: {error}"))
    for n, at, reason in released:
        steps.append(TraceStep(at=at, mail_id=mail_id, what="attempt", n=n, detail=f"released; was held: {reason}"))
    for child_id, at, kind, reason in given_up:
        steps.append(
            TraceStep(at=at, mail_id=child_id, what="child", detail=f"{kind} given up: {reason}", parent=mail_id)
        )
    for row, told in zip(rows, details, strict=True):
        steps.append(
            TraceStep(
                at=row.at,
                mail_id=mail_id,
                what=row.outcome if row.outcome != "appended" else "filed",
                n=row.n,
                address=row.address,
                detail=_words(row, told),
            )
        )
        for child in told.get("children", ()):
            to = ", ".join(child["to"])
            steps.append(
                TraceStep(
                    at=row.at,
                    mail_id=child["mail_id"],
                    what="child",
                    n=row.n,
                    address=to,
                    detail=f"{child['kind']} {child['mail_id']}",
                    parent=mail_id,
                )
            )
    return sorted(steps, key=lambda step: step.at)
