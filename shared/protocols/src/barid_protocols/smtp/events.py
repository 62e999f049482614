"""What the server core tells its host.

Decision   a question of policy. Nothing else is read until ``send`` has answered it.
Notice     for the host's information; there is nothing to answer.

``send(None)`` gives the usual positive reply, ``send(Reply)`` any other. Where one event stands for several answers
(``RcptTo`` with pipelined recipients, ``DataEnd`` in LMTP), ``send`` takes a sequence, one each in order, or a single
reply for all. A 421 closes and is said once: what stands behind it in a sequence may be left out, and is never sent.
"""

from dataclasses import dataclass
from enum import Enum

from barid_protocols.sasl import Credentials
from barid_protocols.smtp.address import Address
from barid_protocols.smtp.replies import Reply

# The dataclasses are not frozen: freezing costs 0.15 µs a field on a path that makes five of them a message.


class Decision:
    __slots__ = ()


class Notice:
    __slots__ = ()


@dataclass(slots=True)
class Connected(Decision):
    """First of all. Accept: 220. 421 closes; any other refusal leaves only QUIT to the client (RFC 5321 §3.1).

    ``early`` is true if the peer spoke before the greeting, as only careless senders do.
    """

    early: bool


@dataclass(slots=True)
class Hello(Decision):
    """``verb`` is "EHLO", "HELO" or "LHLO"; ``name`` is printable ASCII of at most 255 octets, verified by nobody."""

    verb: str
    name: str


@dataclass(slots=True)
class StartTls(Decision):
    """Accept, write everything out, do the handshake, then call ``tls_established``.

    ``discarded`` counts the plaintext octets that had been pipelined behind the command: an attempt at injection
    (RFC 3207 §4.2), or a broken client.
    """

    discarded: int


@dataclass(slots=True)
class Authenticate(Decision):
    """Accept (235), AUTH_FAILED, or AUTH_UNAVAILABLE if nobody can tell now."""

    mechanism: str
    credentials: Credentials


@dataclass(slots=True)
class MailFrom(Decision):
    """``reverse_path`` is None for the null path ``<>``. ``size`` is what the client declared, already held against
    ``max_size``. ``auth`` is the AUTH= parameter decoded: "" for ``<>``, None if absent (RFC 4954 §5)."""

    reverse_path: Address | None
    size: int | None = None
    body: str | None = None
    smtputf8: bool = False
    auth: str | None = None


@dataclass(slots=True)
class RcptTo(Decision):
    """One or more recipients whose commands stand next to each other in what has arrived.

    Never more than fit in ``max_recipients``. ``<postmaster>`` comes with an empty domain.
    """

    recipients: list[Address]


@dataclass(slots=True)
class DataStarted(Decision):
    """Accept: 354, and chunks follow. Only a refusal may be given instead."""

    recipients: int


@dataclass(slots=True)
class DataEnd(Decision):
    """The message is whole and within the limits; ``size`` is the sum of its chunks. LMTP: one answer a recipient that
    was accepted."""

    size: int


@dataclass(slots=True)
class Verify(Decision):
    """VRFY. The usual reply is 252, which tells nothing."""

    argument: str


@dataclass(slots=True)
class DataChunk(Notice):
    """Octets of the message, dots unstuffed, lines in CR LF (never split between chunks). As long as a read."""

    data: bytes


@dataclass(slots=True)
class DataAborted(Notice):
    """The message was refused by the core when its end came (bare line ends, NUL, size); the transaction is over.

    May come before the end of the message has arrived: no chunk follows it, and ``reply`` is what the client will get.
    """

    reply: Reply


@dataclass(slots=True)
class Reset(Notice):
    """The transaction that was open is forgotten, by RSET or a new hello."""


@dataclass(slots=True)
class Refused(Notice):
    """The core answered an error itself. ``line`` is the start of what the peer sent; it is not safe text, and it is
    empty where it might hold a password."""

    reply: Reply
    line: bytes


@dataclass(slots=True)
class Flush(Notice):
    """What was read last has earned more than MOST_OWED octets of replies: write them out, and pull on when they have
    left and others had their turn. Depends on how reads were cut, and on nothing else."""


class CloseReason(Enum):
    QUIT = "quit"
    EOF = "eof"
    HOST = "host"
    ERRORS = "errors"
    LOGINS = "failed log-ins"
    HTTP = "http"
    TLS_ON_PLAIN = "tls on the plain port"
    OVERFLOW = "input overflow"
    DRAINED = "drained"


@dataclass(slots=True)
class Closed(Notice):
    """Write out what is left, then close the transport. The last event; a transaction that was open is forgotten."""

    reason: CloseReason


Event = Decision | Notice
Answer = Reply | list[Reply] | tuple[Reply, ...] | None
