"""Opens listening sockets."""

import asyncio
import ssl
from collections.abc import Callable

from barid_runtime.listeners import Doorway, open_listener

from ..policy import patience
from ..ports import Conversations, Door, Listener, OpenListener
from .socket_wire import SocketWire


def listeners(host: str, context: Callable[[], ssl.SSLContext]) -> OpenListener:
    """context: of TLS, asked by each connection; at each door first, where it may raise."""

    async def open_door(door: Door, converse: Conversations) -> Listener:
        loop = asyncio.get_running_loop()

        def make(connections: set[SocketWire]) -> SocketWire:
            return SocketWire(door, converse, context(), connections, loop)

        handshake = patience.HANDSHAKE if door.implicit_tls else None
        return await open_listener(Doorway(door.name, host, door.port, make, handshake), context)

    return open_door
