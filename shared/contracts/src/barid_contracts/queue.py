"""The relay's queue of record as an operator sees it, mails that are held, and those that were captured."""

from typing import Literal

from .base import Empty, Event, MailId, Message, Operation
from .mail import BodyRef, Key


class QueueItem(Message):
    """One remote obligation that has no outcome yet. Times are epoch ms. state: `held` waits for an operator."""

    mail_id: MailId
    n: int
    state: Literal["due", "deferred", "leased", "held"]
    reverse_path: str
    address: str
    attempts: int
    due: int
    queued: int
    last_error: str = ""


class QueueListRequest(Message):
    after: str | None = None
    limit: int = 100
    domain: str | None = None


class QueuePage(Message):
    items: list[QueueItem]
    next: str | None = None


class QueueAction(Message):
    """Do this to the named obligations, or to all (`keys` None). bounce: end it and tell the sender. drop: end it and
    tell nobody."""

    action: Literal["retry", "hold", "release", "bounce", "drop"]
    keys: list[Key] | None = None


class QueueActionReply(Message):
    changed: int


QUEUE_LIST = Operation("mail.v1.relay.queue.list", QueueListRequest, QueuePage)
QUEUE_ACT = Operation("mail.v1.relay.queue.act", QueueAction, QueueActionReply)


class HeldItem(Message):
    mail_id: MailId
    n: int
    account: str
    reason: str
    at: int
    attempts: int = 0


class HeldPage(Message):
    items: list[HeldItem]
    next: str | None = None


class HeldAction(Message):
    """release: give it to delivery again. discard: end it."""

    action: Literal["release", "discard"]
    keys: list[Key]


HELD_LIST = Operation("mail.v1.mailstore.held.list", QueueListRequest, HeldPage)
HELD_ACT = Operation("mail.v1.mailstore.held.act", HeldAction, QueueActionReply)


class CapturedItem(Message):
    """A mail for another domain that was kept instead of sent."""

    mail_id: MailId
    n: int
    reverse_path: str
    address: str
    at: int
    subject: str
    message_id: str = ""
    size: int
    trace: str = ""
    ref: BodyRef


class CapturedRequest(Message):
    after: str | None = None
    limit: int = 100
    address: str | None = None
    subject: str | None = None


class CapturedPage(Message):
    items: list[CapturedItem]
    next: str | None = None


CAPTURED_LIST = Operation("mail.v1.relay.captured.list", CapturedRequest, CapturedPage)
CAPTURED_CLEAR = Operation("mail.v1.relay.captured.clear", Empty, QueueActionReply)


class Captured(Message):
    items: list[CapturedItem]


CAPTURED = Event("mail.v1.captured", Captured)
