"""Opens listening sockets."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from barid_runtime import tls

from ..ports import Connection, Conversations, Door, Listener, OpenListener
from .socket_wire import SocketWire

BACKLOG = 512
"""Connections that the kernel keeps for us while the loop is busy: clients come back all at once after a restart."""


class SocketListener:
    """Implements ports.Listener."""

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


def listeners(host: str, context: Callable[[], ssl.SSLContext]) -> OpenListener:
    """context: makes the TLS context, at the first door."""
    made: list[ssl.SSLContext] = []

    async def open_listener(door: Door, converse: Conversations) -> Listener:
        if not made:
            made.append(context())
        listener = SocketListener()
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
