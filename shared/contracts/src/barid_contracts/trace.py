"""What became of a mail: one timeline, from the ledgers of those who own its obligations."""

from .base import Message, Operation


class TraceRequest(Message):
    """By our id, or by the Message-ID of the header."""

    mail_id: str | None = None
    message_id: str | None = None


class TraceStep(Message):
    """at: epoch ms. what: accepted, filed, redirected, discarded, held, bounced, relayed, captured, attempt, child,
    waiting. n: the obligation. detail: for people. mail_id of a `child` is the child's. parent: of a `child` the mail
    that made it, and of an `accepted` the mail that this one is a child of, where its teller knows it. `waiting` is a
    state, not an event: what is still owed to whom, and what it waits for; its `at` is when that was told."""

    at: int
    mail_id: str
    what: str
    n: int | None = None
    address: str = ""
    detail: str = ""
    parent: str | None = None


class TraceReply(Message):
    steps: list[TraceStep]


MAILSTORE_TRACE = Operation("mail.v1.mailstore.trace", TraceRequest, TraceReply)
RELAY_TRACE = Operation("mail.v1.relay.trace", TraceRequest, TraceReply)
