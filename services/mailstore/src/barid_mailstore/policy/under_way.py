"""The steps of a mail that has not ended: what its record says, and what is still owed to whom."""

from collections.abc import Collection

from barid_contracts.mail import Accepted
from barid_contracts.trace import TraceStep

FOR_DELIVERY = "for delivery"
FOR_RELAY = "for the relay"
RELAY_SILENT = "for the relay, or there already: it does not answer"


def accepted(mail: Accepted) -> TraceStep:
    subject = f", subject {mail.subject!r}" if mail.subject else ""
    return TraceStep(
        at=mail.at,
        mail_id=mail.mail_id,
        what="accepted",
        detail=f"from <{mail.reverse_path}>{subject}",
        parent=mail.parent,
    )


def waiting(mail: Accepted, owed: Collection[int], now: float, *, relay_answers: bool) -> list[TraceStep]:
    """owed: numbers of the obligations without an outcome. `at` is now: it is a state, not an event."""
    for_relay = FOR_RELAY if relay_answers else RELAY_SILENT
    return [
        TraceStep(
            at=max(int(now * 1000), mail.at),
            mail_id=mail.mail_id,
            what="waiting",
            n=obligation.n,
            address=obligation.address,
            detail=FOR_DELIVERY if obligation.kind == "account" else for_relay,
        )
        for obligation in mail.obligations
        if obligation.n in owed
    ]
