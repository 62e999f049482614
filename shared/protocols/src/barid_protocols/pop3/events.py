"""What the core asks of its host, and how the host may answer. ``Refused`` answers any of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from barid_protocols.sasl import Credentials


@dataclass(frozen=True, slots=True)
class Login:
    """Someone asks for a maildrop. Answer with a ``Maildrop``; refuse with code AUTH for wrong credentials, SYS/TEMP
    if it cannot be known now, IN-USE if it is locked. ``mechanism`` is a SASL name, or ``USER``."""

    mechanism: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class StartTls:
    """Answer with None, write what ``send`` gives, do the handshake, call ``tls_established``."""


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Send message ``number`` (from 1). Answer with ``MessageStarted``; then ``send_chunk`` … ``send_end``."""

    number: int


@dataclass(frozen=True, slots=True)
class Top:
    """As ``Retrieve``; the core cuts after ``lines`` lines of the body, so stop reading at ``message_complete``."""

    number: int
    lines: int


@dataclass(frozen=True, slots=True)
class Update:
    """QUIT: delete these messages for good (numbers from 1, ascending, at least one). Answer with None when it is
    done. This is the only way by which messages go: a lost connection deletes nothing (RFC 1939 §6)."""

    deleted: tuple[int, ...]


Event = Login | StartTls | Retrieve | Top | Update


@dataclass(frozen=True, slots=True)
class Maildrop:
    """The messages as they are now; they keep their numbers for the session (RFC 1939 §4).

    ``sizes`` in octets; ``unique_ids`` of the same length, each 1 to 70 of the characters 0x21 to 0x7E (§7, UIDL).
    """

    sizes: Sequence[int]
    unique_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class MessageStarted:
    """The message is there and is about to be sent."""

    size: int


Answer = Maildrop | MessageStarted | None
