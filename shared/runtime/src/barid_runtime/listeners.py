"""Listening sockets, for connections that say themselves whom they serve.

A connection is an asyncio.Protocol with `admit`. Who isn't served gets no TLS handshake, the dearest thing that a peer
can ask for: on a door that begins with one it is asked before the handshake, and made (`connection_made`) after it.

    in the clear   connection_made, which asks `admit` itself …                    connection_lost
    TLS at once    admit ──▶ handshake ──▶ connection_made …                       connection_lost
                     └─ no: connection_lost      └─ failed, or the door closed: connection_lost
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from .logging import get_logger

BACKLOG = 512
"""Connections that the kernel keeps for us while the loop is busy: clients come back all at once after a restart, and a
burst of 200 sessions must not see a refusal."""

ACCEPTED_MOST = 64
"""In a turn of the loop: those who are connected have a right to it, too."""

ACCEPT_AGAIN = 0.5
"""Seconds after an accept that failed."""

log = get_logger("listeners")


class Connection(Protocol):
    """Also an asyncio.Protocol, which a typing.Protocol can't say of itself.

    It enters the listener's set in `admit` and leaves it in `connection_lost`.
    """

    def admit(self, peer: object) -> bool:
        """Whether it is to be served at all. peer: the socket's address."""

    def connection_lost(self, exc: Exception | None) -> None:
        """May come without a `connection_made`; once."""


Made = TypeVar("Made", bound=Connection)


@dataclass(frozen=True, slots=True)
class Doorway(Generic[Made]):
    """What a listener is to be. port: 0 takes any. make: a new connection, given the set that it is to enter.

    handshake_seconds: None begins in the clear; else with TLS, which takes no longer than that.
    """

    name: str
    host: str
    port: int
    make: Callable[[set[Made]], Made]
    handshake_seconds: float | None = None


class PlainListener(Generic[Made]):
    """For doors that begin in the clear."""

    def __init__(self, server: asyncio.Server, connections: set[Made]) -> None:
        self._server = server
        self._connections = connections
        self.port = int(server.sockets[0].getsockname()[1])

    @classmethod
    async def open(cls, doorway: Doorway[Made]) -> "PlainListener[Made]":
        connections: set[Made] = set()
        make = cast("Callable[[set[Made]], asyncio.Protocol]", doorway.make)
        server = await asyncio.get_running_loop().create_server(
            lambda: make(connections), doorway.host, doorway.port, backlog=BACKLOG
        )
        return cls(server, connections)

    @property
    def connections(self) -> Iterable[Made]:
        return list(self._connections)

    def close(self) -> None:
        """Take no new connections; those that are open stay, for the drain to wait for."""
        self._server.close()


class TlsListener(Generic[Made]):
    """For doors that begin with a handshake.

    A loop's own TLS server tells nobody of a connection before its handshake is done, so limits would not count until
    then; and uvloop reads before a handshake that is begun in `connection_made`. So connections are accepted here.
    """

    def __init__(self, doorway: Doorway[Made], context: Callable[[], ssl.SSLContext]) -> None:
        """context: asked at each handshake. Raises OSError."""
        family = socket.AF_INET6 if ":" in doorway.host else socket.AF_INET
        self._doorway = doorway
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._connections: set[Made] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        self._socket = socket.create_server((doorway.host, doorway.port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._listen()

    @property
    def connections(self) -> Iterable[Made]:
        return list(self._connections)

    def close(self) -> None:
        """As of the plain one. Handshakes under way end here, too: who is not in yet is not let in."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._again is not None:
            self._again.cancel()
        for task in list(self._handshakes):
            task.cancel()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._socket, self._on_arrivals)

    def _on_arrivals(self) -> None:
        for _ in range(ACCEPTED_MOST):
            try:
                accepted, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors, most likely: some will be free again. The loop would call us at once until then.
                log.warning("not accepted", error=str(error), door=self._doorway.name)
                self._loop.remove_reader(self._socket)
                self._again = self._loop.call_later(ACCEPT_AGAIN, self._listen)
                return
            self._receive(accepted, peer)

    def _receive(self, accepted: socket.socket, peer: object) -> None:
        connection = self._doorway.make(self._connections)
        if connection.admit(peer):
            accepted.setblocking(False)
            task = self._loop.create_task(self._encrypt(accepted, peer, connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
        else:
            accepted.close()
            connection.connection_lost(None)

    async def _encrypt(self, accepted: socket.socket, peer: object, connection: Made) -> None:
        protocol = cast("asyncio.Protocol", connection)
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=self._doorway.handshake_seconds,
            )
        except (OSError, EOFError) as error:
            ip = peer[0] if isinstance(peer, tuple) else ""
            log.info("no TLS", reason=str(error) or type(error).__name__, door=self._doorway.name, ip=ip)
            connection.connection_lost(error)
        except asyncio.CancelledError:
            connection.connection_lost(None)
            raise


async def open_listener(
    doorway: Doorway[Made], context: Callable[[], ssl.SSLContext]
) -> PlainListener[Made] | TlsListener[Made]:
    """Raises OSError. context: for the next handshake (`Certificates.context`); asked once here, for what it raises."""
    context()
    if doorway.handshake_seconds is None:
        return await PlainListener.open(doorway)
    return TlsListener(doorway, context)
