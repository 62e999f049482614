"""One timeline of a mail and its children, from what each owner of its obligations tells."""

from collections.abc import Iterable

from barid_contracts.trace import TraceStep

CHILDREN_MOST = 50
"""Children followed: a mail to a large list has more, and nobody reads them in one go."""

_ORDER = {"accepted": 0, "attempt": 1, "child": 3}
"""Steps of one millisecond, as they must have happened; an outcome is 2."""


def merge(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """By time; what two owners tell alike is told once, and each mail is accepted once, as told by who knows more."""
    told: set[tuple[object, ...]] = set()
    merged: list[TraceStep] = []
    for step in sorted(steps, key=_order):
        key = (step.mail_id, "accepted") if step.what == "accepted" else _order(step)
        if key not in told:
            told.add(key)
            merged.append(step)
    return merged


def _order(step: TraceStep) -> tuple[object, ...]:
    """Total, so that it is one timeline whoever answers first."""
    n = -1 if step.n is None else step.n
    rank = _ORDER.get(step.what, 2)
    return (step.at, rank, step.mail_id, -len(step.detail), n, step.what, step.address, step.detail)


def children(steps: Iterable[TraceStep]) -> list[str]:
    """mail_ids of the mails that these steps made, each once."""
    return list(dict.fromkeys(step.mail_id for step in steps if step.what == "child"))


def bracketed(message_id: str) -> str:
    """A Message-ID as the field has it (RFC 5322 §3.6.4), whether or not people gave the angle brackets."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"
