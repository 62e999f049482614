"""Opens listening sockets."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from barid_runtime import tls
from barid_runtime.logging import get_logger

from ..policy import patience
from ..ports import Connection, Conversations, Door, Listener, OpenListener
from .socket_wire import SocketWire

BACKLOG = 512
"""Connections that the kernel keeps for us while the loop is busy: clients come back all at once after a restart."""


ACCEPT_AGAIN = 0.5
"""Seconds after an accept that failed."""

log = get_logger("mss.listeners")


class PlainListener:
    """Implements ports.Listener, for doors that begin without TLS."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: set[SocketWire] = set()

    async def open(self, host: str, door: Door, converse: Conversations, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        connections = self._connections
        self._server = await loop.create_server(
            lambda: SocketWire(door, converse, context, connections, loop), host, door.port, backlog=BACKLOG
        )

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> Iterable[Connection]:
        return list(self._connections)

    def close(self) -> None:
        """Not `wait_closed`: open connections are the drain's to wait for."""
        if self._server is not None:
            self._server.close()


class TlsListener:
    """Implements ports.Listener, for doors that begin with a handshake.

    A loop's own TLS server tells nobody of a connection before its handshake is done, so limits would not count until
    then; and uvloop reads before a handshake that is begun in `connection_made`. So connections are accepted here.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[SocketWire] = set()

    async def open(self, host: str, door: Door, converse: Conversations, context: ssl.SSLContext) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, door.port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self._port = int(self._socket.getsockname()[1])
        self._spawn(self._accept(self._socket, door, converse, context))

    async def _accept(
        self, listening: socket.socket, door: Door, converse: Conversations, context: ssl.SSLContext
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError as error:
                # Out of descriptors, most likely: some will be free again.
                log.warning("not accepted", error=str(error), door=door.name)
                await asyncio.sleep(ACCEPT_AGAIN)
                continue
            wire = SocketWire(door, converse, context, self._connections, loop)
            if wire.admit(peer):
                self._spawn(self._encrypt(accepted, wire, door, context))
            else:
                accepted.close()
                wire.connection_lost(None)

    async def _encrypt(self, accepted: socket.socket, wire: SocketWire, door: Door, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: wire, accepted, ssl=context, ssl_handshake_timeout=patience.HANDSHAKE
            )
        except (OSError, EOFError) as error:
            log.info("no TLS", reason=str(error) or type(error).__name__, door=door.name, ip=wire.ip)
            wire.connection_lost(error)
        except asyncio.CancelledError:
            wire.connection_lost(None)
            raise

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def port(self) -> int:
        return self._port

    @property
    def connections(self) -> Iterable[Connection]:
        return list(self._connections)

    def close(self) -> None:
        """Handshakes under way end here, too: who is not in yet is not let in."""
        for task in list(self._tasks):
            task.cancel()
        if self._socket is not None:
            # After the loop has let go of it.
            asyncio.get_running_loop().call_soon(self._socket.close)


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
