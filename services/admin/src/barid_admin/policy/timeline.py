"""One timeline of a mail and its children, from what each owner of its obligations tells.

Its order is that of causes: a mail is accepted, then come its attempts and ends, each end before the children that it
made, a child's making before anything that befell the child. Within that, time decides. Each owner's clock is its own,
and steps of one transaction share their millisecond, so time alone would put effects before causes.
"""

from collections.abc import Iterable, Sequence

from barid_contracts.trace import TraceStep

CHILDREN_MOST = 50
"""Children followed: a mail to a large list has more, and nobody reads them in one go."""

_ORDER = {"accepted": 0, "attempt": 1, "child": 3, "waiting": 4}
"""Steps of one mail and one millisecond, as they must have happened; an outcome is 2."""


def merge(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """In the order of causes; what two owners tell alike is told once, and each mail is accepted once, as told by who
    knows more. `at` stays as it was told."""
    told = sorted({_by_time(step): step for step in steps}.values(), key=_by_time)
    accepted: dict[str, TraceStep] = {}
    for step in told:
        if step.what == "accepted":
            before = accepted.get(step.mail_id)
            accepted[step.mail_id] = step if before is None else max(step, before, key=_knowledge)
    return _by_cause([step for step in told if step.what != "accepted" or accepted[step.mail_id] is step])


def _knowledge(accepted: TraceStep) -> tuple[object, ...]:
    """An owner may have forgotten the subject with the last copy, and not know of a parent."""
    return (accepted.parent is not None, len(accepted.detail))


def _by_cause(steps: Sequence[TraceStep]) -> list[TraceStep]:
    """Each step with the time before which it can't have happened, sorted by that. Generations break ties: a parent's
    steps of one moment come before its child's. steps: by time, each once."""
    of_mail: dict[str, list[TraceStep]] = {}
    accepted: dict[str, int] = {}
    made = _makers(steps)
    for step in steps:
        of_mail.setdefault(step.mail_id if step.what != "child" else made.get(step.mail_id, ""), []).append(step)
        if step.what == "accepted":
            accepted[step.mail_id] = step.at
    placed: list[tuple[int, int, TraceStep]] = []
    # Mails that nobody here made come first; what is left after them made each other in a circle.
    waiting = [(mail, 0, 0) for mail in of_mail if mail not in made]
    rest = iter(list(of_mail))
    while of_mail:
        if not waiting:
            waiting = [(next(rest), 0, 0)]
        mail, generation, born = waiting.pop()
        since = max(born, accepted.get(mail, 0))
        for step in of_mail.pop(mail, ()):
            at = max(step.at, since)
            placed.append((at, generation, step))
            if step.what == "child" and step.mail_id in of_mail:
                waiting.append((step.mail_id, generation + 1, at))
    placed.sort(key=lambda each: (each[0], each[1], each[2].what != "accepted", _by_time(each[2])))
    return [step for _, _, step in placed]


def _makers(steps: Iterable[TraceStep]) -> dict[str, str]:
    """Each child's parent. Who tells of a child and not of its parent is an older service: then it has none here."""
    return {step.mail_id: step.parent for step in steps if step.what == "child" and step.parent is not None}


def _by_time(step: TraceStep) -> tuple[object, ...]:
    """Total, so that it is one timeline whoever answers first."""
    n = -1 if step.n is None else step.n
    rank = _ORDER.get(step.what, 2)
    return (step.at, rank, step.mail_id, n, step.what, step.address, step.detail, step.parent or "")


def children(steps: Iterable[TraceStep]) -> list[str]:
    """mail_ids of the mails that these steps made, each once."""
    return list(dict.fromkeys(step.mail_id for step in steps if step.what == "child"))


def bracketed(message_id: str) -> str:
    """A Message-ID as the field has it (RFC 5322 §3.6.4), whether or not people gave the angle brackets."""
    return message_id if message_id.startswith("<") else f"<{message_id}>"
