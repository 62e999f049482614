"""Opens listening sockets for the transport."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from barid_runtime import tls
from barid_runtime.logging import get_logger

from ..policy import patience
from ..ports import Connection, Conversations, Door, Listener, OpenListener
from .aiosmtpd_transport import SmtpTransport

BACKLOG = 512
"""Connections that the kernel keeps for us while the loop is busy; a burst of 200 sessions must not see a refusal."""

ACCEPT_AGAIN = 0.5
"""Seconds after an accept that failed."""

log = get_logger("smtp_ingress.listeners")


class PlainListener:
    """Implements ports.Listener, for doors that begin without TLS."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: set[SmtpTransport] = set()

    async def open(self, host: str, door: Door, converse: Conversations, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        connections = self._connections
        self._server = await loop.create_server(
            lambda: SmtpTransport(door, converse, context, connections, loop), host, door.port, backlog=BACKLOG
        )

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> Iterable[Connection]:
        return list(self._connections)

    async def close(self) -> None:
        """Not `wait_closed`: open connections are the drain's to wait for."""
        if self._server is not None:
            self._server.close()


class TlsListener:
    """Implements ports.Listener, for doors that begin with a handshake.

    A loop's own TLS server tells nobody of a connection before its handshake is done: neither limits nor their peers'
    addresses would count until then. So connections are accepted here, and admitted before they are encrypted.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[SmtpTransport] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._port = 0

    async def open(self, host: str, door: Door, converse: Conversations, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, door.port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self._port = int(self._socket.getsockname()[1])
        self._accepting = loop.create_task(self._accept(loop, door, converse, context), name=f"accept-{door.name}")

    async def _accept(
        self, loop: asyncio.AbstractEventLoop, door: Door, converse: Conversations, context: ssl.SSLContext
    ) -> None:
        assert self._socket is not None
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._socket)
            except OSError as error:
                # Out of descriptors, most likely: some will be free again.
                log.warning("not accepted", error=str(error), door=door.name)
                await asyncio.sleep(ACCEPT_AGAIN)
                continue
            connection = SmtpTransport(door, converse, context, self._connections, loop)
            if connection.admit(peer):
                task = loop.create_task(self._encrypt(loop, accepted, connection, context))
                self._handshakes.add(task)
                task.add_done_callback(self._handshakes.discard)
            else:
                accepted.close()
                connection.connection_lost(None)

    async def _encrypt(
        self,
        loop: asyncio.AbstractEventLoop,
        accepted: socket.socket,
        connection: SmtpTransport,
        context: ssl.SSLContext,
    ) -> None:
        try:
            await loop.connect_accepted_socket(
                lambda: connection, accepted, ssl=context, ssl_handshake_timeout=patience.HANDSHAKE
            )
        except (OSError, EOFError) as error:
            log.info("no TLS", reason=str(error) or type(error).__name__, door="submissions")
            connection.connection_lost(error)
        except asyncio.CancelledError:
            connection.connection_lost(None)
            raise

    @property
    def port(self) -> int:
        return self._port

    @property
    def connections(self) -> Iterable[Connection]:
        return list(self._connections)

    async def close(self) -> None:
        tasks = [*([self._accepting] if self._accepting else []), *self._handshakes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()


def listeners(host: str, context: Callable[[], ssl.SSLContext]) -> OpenListener:
    """context: makes the TLS context, at the first door."""
    made: list[ssl.SSLContext] = []

    async def open_listener(door: Door, converse: Conversations) -> Listener:
        if not made:
            made.append(context())
        listener = TlsListener() if door.implicit_tls else PlainListener()
        await listener.open(host, door, converse, made[0])
        return listener

    return open_listener


def tls_context(
    certificate: Path | None, key: Path | None, folder: Path, names: Iterable[str], now: float
) -> ssl.SSLContext:
    """The operator's certificate, or a self-signed one in `folder`. Raises tls.TlsError."""
    if certificate is None or key is None:
        certificate, key = tls.ensure_self_signed(folder, list(dict.fromkeys(names)), now)
    return tls.server_context(certificate, key)
