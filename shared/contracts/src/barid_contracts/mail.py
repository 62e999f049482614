"""An accepted mail: the reference to its bytes, who it is owed to, and all that was read from it at the door."""

from typing import Literal

from pydantic import ConfigDict, Field

from .base import Event, Latin1, MailId, Message


class BodyRef(Message):
    """Where a body stands in the journal.

    pack: the pack's name, or the name of an object of its own for bodies too large for a pack.
    offset: the record's first byte within it. head: bytes from there to the body. size: bytes of the body.
    """

    pack: str
    offset: int
    head: int
    size: int


class Obligation(Message):
    """One recipient whom an accepted mail is owed to, frozen at RCPT. Its key everywhere is `(mail_id, n)`.

    address: the final forward path. original: as the client gave it. detail: the part after the `+`, if any.
    account: the id of the local account (kind `account` only).
    """

    n: int
    kind: Literal["account", "remote"]
    address: str
    original: str
    account: str | None = None
    detail: str | None = None


class Accepted(Message):
    """What the journal's record says of a mail; with `ref`, the event that local delivery and relay start from.

    at: epoch ms of acceptance. reverse_path: `""` is the null sender. trace: our Received field(s), with CRLF, to be
    put before the body wherever it goes. headers: the body's own header block up to and with its empty line, capped
    (`headers_cut`). envelope, structure: IMAP ENVELOPE and BODYSTRUCTURE, ready to send. parts: the compact part tree
    (`""` for a single part). submitter: the account that submitted it. parent: the mail that this one is a child of.
    An APPEND has no obligations. `verdicts` is room for SPF, DKIM, DMARC results.
    """

    model_config = ConfigDict(defer_build=False)  # the journal takes its serializer to itself at import

    mail_id: MailId
    at: int
    reverse_path: str
    obligations: list[Obligation] = Field(default_factory=list)
    trace: Latin1 = ""
    size: int
    headers: Latin1 = ""
    headers_cut: bool = False
    envelope: Latin1 = ""
    structure: Latin1 = ""
    parts: str = ""
    message_id: str = ""
    subject: str = ""
    received_count: int = 0
    submitter: str | None = None
    parent: str | None = None
    origin: str = ""
    smtputf8: bool = False
    verdicts: dict[str, str] = Field(default_factory=dict)
    ref: BodyRef | None = None


class AcceptedBatch(Message):
    """The mails of one durable batch of the journal, in the journal's order."""

    mails: list[Accepted]


ACCEPTED_LOCAL = Event("mail.v1.accepted.local", AcceptedBatch)
"""Durable. Mails with obligations to accounts here."""

ACCEPTED_REMOTE = Event("mail.v1.accepted.remote", AcceptedBatch)
"""Durable. Mails with obligations to other domains. A mail with both kinds is in both."""

ACCEPTED_STREAM = "MAIL"
"""The JetStream stream of `mail.v1.accepted.>`: a work queue, each kind consumed by one durable consumer."""


class Key(Message):
    """The name of one obligation."""

    mail_id: MailId
    n: int
