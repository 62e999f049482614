"""What became of a mail: one timeline, from the ledgers of those who own its obligations."""

from .base import Message, Operation


class TraceRequest(Message):
    """By our id, or by the Message-ID of the header."""

    mail_id: str | None = None
    message_id: str | None = None


class TraceStep(Message):
    """at: epoch ms. what: accepted, filed, discarded, held, bounced, relayed, captured, attempt, child.
    n: the obligation. detail: for people."""

    at: int
    mail_id: str
    what: str
    n: int | None = None
    address: str = ""
    detail: str = ""


class TraceReply(Message):
    steps: list[TraceStep]


MAILSTORE_TRACE = Operation("mail.v1.mailstore.trace", TraceRequest, TraceReply)
RELAY_TRACE = Operation("mail.v1.relay.trace", TraceRequest, TraceReply)
