"""What the ingress needs of the world, and how its two sides, the wire and the decisions, see each other.

A transport owns a protocol core and drives one `Conversation`; the service owns the `Listener`s and through them all
`Connection`s. Bus, journal and clock are ports of `barid_runtime`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from barid_protocols.smtp import Answer, Decision, Notice, Reply, ServerConnection, ServerOptions
from barid_runtime.journal.port import JournalWriter


class Lead(NamedTuple):
    """One end of an address: kind `account` or `remote`. As small as can be, because many are remembered."""

    kind: str
    address: str
    account: str | None = None
    detail: str | None = None


Leads = tuple[Lead, ...]


@dataclass(slots=True)
class Later:
    """An answer that must wait, but needs no task to (12 µs): once `done` is done, `answer()` gives it at once."""

    done: asyncio.Future[Any]
    answer: Callable[[], Answer]


class Conversation(Protocol):
    """The decisions of one connection."""

    refusal: Reply | None
    """Why it is not to be served at all, known before the first octet."""

    @property
    def received(self) -> int:
        """Octets of the message that is arriving."""

    def answer(self, question: Decision) -> Answer | Later | Awaitable[Answer]:
        """At once where the answer is at hand; else something to await, during which nothing more is read."""

    def hear(self, notice: Notice) -> Awaitable[None] | None:
        """An awaitable asks for patience: the next chunk only after it."""

    def closed(self) -> None:
        """The connection is gone, for whatever reason. Called once."""

    async def discard(self) -> None:
        """Let go of a message that did not come to its end. After `closed`, when nothing of it is awaited any more."""


class Connection(Protocol):
    """One open connection."""

    def drain(self) -> None:
        """Close at the next command boundary."""

    def sweep(self, now: float) -> None:
        """Close it if its peer has used up our patience. now: the loop's time."""

    def shut(self) -> None:
        """Say 421 and close now, whatever it is doing."""


class Listener(Protocol):
    """An open door."""

    @property
    def port(self) -> int: ...

    @property
    def connections(self) -> Iterable[Connection]: ...

    def close(self) -> None:
        """Take no new connections; those that are open stay."""


class Conversations(Protocol):
    """Makes the conversation of a new connection."""

    def __call__(self, ip: str, core: ServerConnection) -> Conversation: ...


@dataclass(frozen=True, slots=True)
class Door:
    """What a listener is to be. plaintext: the options for peers on loopback, who may log in without TLS."""

    name: str
    options: ServerOptions
    plaintext: ServerOptions
    implicit_tls: bool
    port: int


OpenListener = Callable[[Door, Conversations], Awaitable[Listener]]


class Journal(JournalWriter, Protocol):
    """problem: the last thing that went wrong and was not answered by a later success; readiness shows it."""

    @property
    def problem(self) -> str: ...


class Publishing(Protocol):
    """Tells the bus of what the journal has."""

    backlog: int

    @property
    def problem(self) -> str: ...

    async def start(self) -> None: ...

    async def close(self, grace: float = 5.0) -> None: ...


class KnownStore(Protocol):
    """Where known recipients outlive the process. A cache: what can't be read is as if it had not been there."""

    async def load(self, limit: int) -> list[tuple[str, Leads]]:
        """Up to `limit`, the first first."""

    async def save(self, known: list[tuple[str, Leads]]) -> None:
        """Replace all. Raises OSError."""
