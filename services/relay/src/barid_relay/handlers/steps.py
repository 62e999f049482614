"""The relay's steps in the traces of its mails.

An attempt may come days after its mail was queued, in another process: so the queueing's id follows from the mail's.
"""

from collections import Counter
from collections.abc import Sequence

from barid_runtime import tracing
from barid_runtime.bus.port import Delivery

from ..ports.hosts import Answer
from ..ports.queue import NewMail, Parcel

_QUEUED = "relay.queue"


def queued(mails: Sequence[NewMail], taken: Sequence[Delivery], began: int) -> None:
    """They are in the queue now. began: ns since the epoch. One that comes again is told again, by the same id."""
    door = tracing.door
    if door is None:
        return
    parents = tracing.Parents(*[delivery.traces for delivery in taken])
    for mail in mails:
        own, parent = tracing.step_of(mail.mail_id, _QUEUED), parents.take(mail.mail_id)
        step = door.begin("relay", _QUEUED, mail.mail_id, own=own, parent=parent, began=began)
        if step is not None:
            step.end(recipients=len(mail.recipients))


def attempted(parcel: Parcel, answers: Sequence[Answer], began: int) -> None:
    """It was tried, and so many recipients were relayed, deferred and so on (none: it broke its handler). No host's
    words, which hold addresses."""
    door = tracing.door
    if door is None:
        return
    parent = tracing.step_of(parcel.mail_id, _QUEUED)
    step = door.begin("relay", "relay.attempt", parcel.mail_id, parent=parent, began=began)
    if step is not None:
        step.end(**{str(fate): count for fate, count in Counter(answer.fate.value for answer in answers).items()})
