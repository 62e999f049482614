"""One timeline of a mail and its children, from what each owner of its obligations tells."""

from collections.abc import Iterable

from barid_contracts.trace import TraceStep

CHILDREN_MOST = 50
"""Children followed: a mail to a large list has more, and nobody reads them in one go."""

_ORDER = {"accepted": 0, "attempt": 1, "child": 3}
"""Steps of one millisecond, as they must have happened; an outcome is 2."""


def merge(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """By time; what two owners tell alike (`accepted`) is told once."""
    told: dict[tuple[object, ...], TraceStep] = {}
    for step in steps:
        key: tuple[object, ...]
        if step.what == "accepted":
            key = (step.mail_id, "accepted")
            known = told.get(key)
            if known is not None and (known.at, -len(known.detail)) <= (step.at, -len(step.detail)):
                continue
        else:
            key = (step.mail_id, step.what, step.n, step.at, step.address, step.detail)
        told[key] = step
    return sorted(told.values(), key=lambda step: (step.at, _ORDER.get(step.what, 2), step.mail_id, step.n or 0))


def children(steps: Iterable[TraceStep]) -> list[str]:
    """mail_ids of the mails that these steps made, each once."""
    return list(dict.fromkeys(step.mail_id for step in steps if step.what == "child"))


def bracketed(message_id: str) -> str:
    """A Message-ID as the field has it (RFC 5322 §3.6.4), whether or not people gave the angle brackets."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"
