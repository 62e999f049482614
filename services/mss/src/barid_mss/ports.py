"""How the two sides of a session, the wire and the decisions, see each other; and what the service needs of the world.

Bus, journal, bodies and clock are ports of `barid_runtime`. A transport owns the socket and drives one `Conversation`;
the conversation owns the protocol core. The service owns the `Listener`s and through them all `Connection`s.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from barid_runtime.bus.port import Bus
from barid_runtime.clock import Clock
from barid_runtime.journal.port import BodyReader, JournalWriter


@dataclass(frozen=True, slots=True)
class Door:
    """One listener: `name` is `imap`, `imaps`, `pop3` or `pop3s`."""

    name: str
    protocol: str
    port: int
    implicit_tls: bool


class Wire(Protocol):
    """What a conversation may do with its connection."""

    @property
    def ip(self) -> str: ...

    @property
    def encrypted(self) -> bool: ...

    @property
    def gone(self) -> bool:
        """Nothing that is written will be read."""

    @property
    def clogged(self) -> bool:
        """The peer reads too slowly: await `drained` before more is written."""

    def write(self, data: bytes) -> None:
        """What is written within one turn of the loop leaves in one piece, at its end or at `flush`."""

    def flush(self) -> None:
        """Send now what was written: a turn of the loop saved, where there is nothing more to come."""

    async def drained(self) -> None:
        """Until there is room again; at once if there is. Raises ConnectionError if the connection was lost."""

    def hold(self, holding: bool) -> None:
        """Read no more, or read again."""

    async def start_tls(self) -> bool:
        """Whether the handshake ended well; else the connection is gone. What was written has left before it."""

    def deflate(self, on: bool) -> None:
        """Pack and unpack from here on, or no more (RFC 4978). What was written has left before it."""

    def close(self) -> None:
        """Once all is sent."""

    def abort(self) -> None: ...


class Conversation(Protocol):
    """One session, as the transport drives it. None of these waits."""

    def begin(self) -> None:
        """The connection, and on an implicit TLS port its TLS, stands."""

    def received(self, data: bytes) -> None: ...

    def ended(self) -> None:
        """The peer sends no more."""

    def lost(self) -> None:
        """The connection is gone, for whatever reason. Called once."""

    def unclogged(self) -> None:
        """There is room for output again."""

    def sweep(self, now: float) -> None:
        """End it if its peer has used up our patience. now: the loop's time."""

    def drain(self) -> None:
        """End it at the next command boundary."""

    async def finished(self) -> None:
        """Returns when nothing of it runs any more. After `lost`."""


class Conversations(Protocol):
    """Makes the conversation of a new connection; None: it is not to be served at all."""

    def __call__(self, wire: Wire, door: Door) -> Conversation | None: ...


class Connection(Protocol):
    """One open connection."""

    @property
    def conversation(self) -> Conversation | None: ...

    def sweep(self, now: float) -> None: ...

    def abort(self) -> None: ...


class Listener(Protocol):
    """An open door."""

    @property
    def port(self) -> int: ...

    @property
    def connections(self) -> Iterable[Connection]: ...

    def close(self) -> None:
        """Take no new connections; those that are open stay."""


OpenListener = Callable[[Door, Conversations], Awaitable[Listener]]


class Journal(JournalWriter, Protocol):
    @property
    def problem(self) -> str:
        """What is wrong with it now, or nothing."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The world, opened. `close` closes it, journal first."""

    bus: Bus
    journal: Journal
    bodies: BodyReader
    clock: Clock
    open_listener: OpenListener
    close: Callable[[], Awaitable[None]]


OpenDoors = Callable[[], Awaitable[Doors]]
