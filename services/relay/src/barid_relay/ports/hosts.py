"""Other hosts, as the relay sees them: where they are, and what they make of a mail.

DialFailed                no session came about; `answer` says whether trying again makes sense
└── TurnedAway            sessions came about, and were all ended before they were of use
ResolveFailed             the DNS does not answer now: try again
└── (NXDOMAIN is no failure but an answer: `NoSuchName`)
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Fate(Enum):
    """What becomes of a recipient. The first four are final."""

    RELAYED = "relayed"
    BOUNCED = "bounced"
    CAPTURED = "captured"
    DISCARDED = "discarded"
    DEFERRED = "deferred"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended for one recipient.

    status: enhanced code (RFC 3463). host: who was spoken to, "" for nobody. reply: its words. reason: ours, where it
    said nothing. again: the same host takes it in another transaction, at once.
    """

    fate: Fate
    status: str
    host: str = ""
    reply: str = ""
    reason: str = ""
    again: bool = False

    @property
    def text(self) -> str:
        """For logs, the trace, the queue."""
        said = self.reply or self.reason
        return f"{self.host}: {said}" if self.host and said else said


class Tls(Enum):
    """MAY encrypts to whoever answers (RFC 7435), MUST and IMPLICIT verify chain and name."""

    NEVER = "never"
    MAY = "may"
    MUST = "must"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Login:
    """plaintext: permitted without TLS."""

    name: str
    password: str
    plaintext: bool = False

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


@dataclass(frozen=True, slots=True)
class Hop:
    """One address to dial. name: the host's, for TLS, logs and reports. by_mx: the DNS led us there, not the operator:
    then a host with our own name is ourselves, and one that never takes mail means it."""

    name: str
    address: str
    port: int
    tls: Tls = Tls.MAY
    login: Login | None = None
    by_mx: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """One transaction. size: bytes of what `body` yields. smtputf8: the header needs it. may_end: asked last, before
    the final dot, after which a mail can't be taken back: whether it is still ours to send."""

    reverse_path: str
    recipients: Sequence[str]
    size: int
    smtputf8: bool
    body: Callable[[], AsyncIterator[bytes]]
    may_end: Callable[[], bool] = lambda: True


class DialFailed(Exception):
    """No session."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class TurnedAway(DialFailed):
    """Sessions came about, but the host ended them one after the other before it took anything: whatever waits for it
    should wait some more, untried."""


class Session(Protocol):
    """An open session with one host; one letter at a time."""

    @property
    def hop(self) -> Hop: ...

    @property
    def usable(self) -> bool:
        """Another letter may be sent."""

    @property
    def sent(self) -> int:
        """Letters so far."""

    async def send(self, letter: Letter) -> list[Answer]:
        """One answer per recipient, in order. Raises Stale, Withdrawn, and JournalError when the body can't be read;
        then nothing was sent."""

    async def close(self) -> None:
        """Say goodbye, briefly."""


class Withdrawn(Exception):
    """It may have become another's while we sent it, so its end was not sent: the host has taken nothing."""


class Stale(Exception):
    """The connection had ended before anything of the letter was said: dial again, nothing was sent."""


class Dialer(Protocol):
    async def dial(self, hop: Hop) -> Session:
        """Connect, greet, encrypt and log in as the hop wants it. Raises DialFailed."""


class ResolveFailed(Exception):
    """The DNS can't say it now (SERVFAIL, timeout)."""


class NoSuchName(Exception):
    """NXDOMAIN: the name does not exist."""


class Resolver(Protocol):
    """Raises ResolveFailed and NoSuchName; an empty list says that the name exists without such records."""

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host, in no order. Hosts in lower case without the last dot; "" is the root (null MX)."""

    async def addresses(self, host: str) -> list[str]:
        """IPv4 and IPv6, in the order to be tried."""
