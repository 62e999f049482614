"""What the client core tells the relay. Each operation ends in exactly one event, or in Lost."""

from dataclasses import dataclass
from enum import Enum

from barid_protocols.smtp.client_replies import Capabilities
from barid_protocols.smtp.replies import Reply


class Phase(Enum):
    """Where a connection stood when it ended; tells what may have been accepted."""

    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    TLS = "tls handshake"
    AUTH = "auth"
    IDLE = "idle"
    ENVELOPE = "envelope"
    BODY = "body"
    END_OF_BODY = "end of body"  # the dot is out, its reply is not in: the message may have been accepted
    RESET = "reset"
    QUIT = "quit"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Greeted:
    reply: Reply


@dataclass(frozen=True, slots=True)
class HelloDone:
    """``reply`` is that to EHLO or LHLO, or to HELO if EHLO was not known; capabilities are empty then, and on
    refusal."""

    reply: Reply
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class TlsReady:
    """Positive: do the handshake now and call ``tls_established``. Else the session goes on in plaintext."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AuthDone:
    reply: Reply


@dataclass(frozen=True, slots=True)
class EnvelopeDone:
    """``recipients`` has one reply each, in order. ``data`` is the reply to DATA, None if it was never sent.

    If ``ready``, send the body now: it is for the recipients whose reply is positive. Else the transaction is over and
    ``recipients`` holds the final, negative reply for each.
    """

    sender: Reply
    recipients: tuple[Reply, ...]
    data: Reply | None
    ready: bool


@dataclass(frozen=True, slots=True)
class MessageDone:
    """``recipients`` has the final reply for each *accepted* recipient in order: all the same in SMTP, each its own in
    LMTP."""

    recipients: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class ResetDone:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use: close the transport. The last event.

    ``reply`` is the server's last word if it gave one that explains (as 421); ``reason`` is safe text. After QUIT
    ``phase`` is QUIT and nothing is amiss. ``recipients`` are the final replies that had come in (LMTP, END_OF_BODY):
    those recipients are settled, the ones after them are not known.
    """

    phase: Phase
    reason: str
    reply: Reply | None = None
    recipients: tuple[Reply, ...] = ()


ClientEvent = Greeted | HelloDone | TlsReady | AuthDone | EnvelopeDone | MessageDone | ResetDone | Lost
