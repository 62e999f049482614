"""A connection: an asyncio.Protocol that gives whole reads to its conversation and writes once a turn of the loop.

Rules:
- One write costs 20–25 µs, more than most commands; so what is written within a turn leaves at its end, in one piece.
- After `connection_lost` nothing is written, and whoever waits for room gets ConnectionError.
- Who isn't served gets no TLS handshake, the dearest thing that a peer can ask for: on a door that begins with one the
  listener asks `admit` first, and the connection is made when the handshake is done.
"""

import asyncio
import ssl
import zlib
from typing import Any

from barid_runtime.logging import get_logger

from ..policy import patience
from ..ports import Conversation, Conversations, Door
from .deflate import DeflateLayer

HIGH_WATER = 128 * 1024
"""Octets of output that wait for the peer before whoever makes more is told to wait, and that a peer which never reads
can make us hold, apart from the piece that was written last."""

LINGER = 1.0
"""Seconds in which what a peer still sends is read and thrown away: octets that nobody reads make the kernel reset the
connection, and our last words are lost with it."""

log = get_logger("mss.wire")


class SocketWire(asyncio.Protocol):
    """Implements ports.Wire and ports.Connection."""

    __slots__ = (
        "_blocked",
        "_closing_since",
        "_connections",
        "_context",
        "_conversation",
        "_converse",
        "_door",
        "_early",
        "_holding",
        "_layer",
        "_loop",
        "_out",
        "_room",
        "encrypted",
        "gone",
        "ip",
        "transport",
    )

    def __init__(
        self,
        door: Door,
        converse: Conversations,
        context: ssl.SSLContext,
        connections: "set[SocketWire]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._door = door
        self._converse = converse
        self._context = context
        self._connections = connections
        self._loop = loop
        self._conversation: Conversation | None = None
        self._out: list[bytes] = []
        self._room: asyncio.Future[None] | None = None
        self._blocked: float | None = None
        self._closing_since: float | None = None
        self._early: list[bytes] | None = None
        self._layer: DeflateLayer | None = None
        self._holding = False
        self.transport: Any = None
        self.encrypted = False
        self.gone = False
        self.ip = ""

    # asyncio.Protocol

    def admit(self, peer: object) -> bool:
        """Whether it is to be served at all. peer: the socket's address."""
        self.ip = peer[0].partition("%")[0] if isinstance(peer, tuple) else ""
        self._connections.add(self)
        self._conversation = self._converse(self, self._door)
        return self._conversation is not None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        if self._door.implicit_tls:
            self.encrypted = True
            if self._closing_since is not None or self._conversation is None:
                transport.abort()
            else:
                self._conversation.begin()
        elif self.admit(transport.get_extra_info("peername")):
            assert self._conversation is not None
            self._conversation.begin()
        else:
            self.close()

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
        elif self._conversation is not None and self._closing_since is None:
            if self._layer is None:
                self._conversation.received(data)
            else:
                self._layer.feed(data)
                self._unpack()

    def eof_received(self) -> bool:
        """A peer may close its side and still read what it is owed; within TLS there is no such thing."""
        if self._conversation is not None:
            self._conversation.ended()
        return not self.encrypted and self._closing_since is None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.gone:
            return
        self.gone = True
        self._connections.discard(self)
        self._out.clear()
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_exception(ConnectionResetError("the peer is gone"))
        if self._conversation is not None:
            self._conversation.lost()

    def pause_writing(self) -> None:
        self._blocked = self._loop.time()

    def resume_writing(self) -> None:
        self._blocked = None
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self._conversation is not None:
            self._conversation.unclogged()

    # ports.Wire

    @property
    def clogged(self) -> bool:
        return self._blocked is not None

    def write(self, data: bytes) -> None:
        if self.gone or self._closing_since is not None or self.transport is None or not data:
            return
        if not self._out:
            self._loop.call_soon(self.flush)
        self._out.append(data)

    def flush(self) -> None:
        out = self._out
        if not out:
            return
        self._out = []
        if self._closing_since is None and not self._ended:
            data = out[0] if len(out) == 1 else b"".join(out)
            self.transport.write(data if self._layer is None else self._layer.pack(data))

    async def drained(self) -> None:
        self.flush()
        if self._ended:
            raise ConnectionResetError("the peer is gone")
        if self._blocked is not None:
            if self._room is None:
                self._room = self._loop.create_future()
            await asyncio.shield(self._room)

    def hold(self, holding: bool) -> None:
        if self._closing_since is not None or self._ended:
            return
        self._holding = holding
        if holding:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
            if self._layer is not None:
                self._loop.call_soon(self._unpack)

    async def start_tls(self) -> bool:
        self.flush()
        if self._ended:
            return False
        # Nothing may be read between here and the handshake, which would take it for its own or we for commands.
        self.transport.pause_reading()
        # The handshake's last flight may bring the first command, before whoever awaits this knows that it is over.
        self._early = []
        try:
            transport = await self._loop.start_tls(
                self.transport, self, self._context, server_side=True, ssl_handshake_timeout=patience.HANDSHAKE
            )
        except (OSError, EOFError) as error:
            log.info("no TLS", reason=str(error) or type(error).__name__, door=self._door.name, ip=self.ip)
            self.transport.abort()
            # A connection that is lost within a handshake is not reported to the protocol behind it.
            self.connection_lost(error)
            return False
        if transport is None or self.gone:
            return False
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self.transport = transport
        self.encrypted = True
        self._loop.call_soon(self._release_early)
        return True

    def deflate(self, on: bool) -> None:
        self.flush()
        self._layer = DeflateLayer() if on else None

    def close(self) -> None:
        if self.gone or self._closing_since is not None:
            return
        self.flush()
        self._closing_since = self._loop.time()
        if self.transport is None or self._ended:
            return
        if self.encrypted:
            self.transport.close()
            return
        self.transport.write_eof()
        self.transport.resume_reading()
        self._loop.call_later(LINGER, self.transport.close)

    def abort(self) -> None:
        if not self.gone and self.transport is not None:
            self.transport.abort()

    # ports.Connection

    @property
    def conversation(self) -> Conversation | None:
        return self._conversation

    def sweep(self, now: float) -> None:
        if self.transport is None:
            return  # handshakes have a limit of their own
        if self._closing_since is not None:
            if now - self._closing_since > patience.CLOSING:
                self.transport.abort()
        elif self._blocked is not None and now - self._blocked > patience.CLOGGED:
            log.info("peer doesn't read", door=self._door.name, ip=self.ip)
            self.transport.abort()
        elif self._conversation is not None:
            self._conversation.sweep(now)

    # within

    @property
    def _ended(self) -> bool:
        """No use of the transport any more: uvloop raises for one that broke, before it tells us that it did."""
        return self.gone or self.transport.is_closing()

    def _unpack(self) -> None:
        """As much as the conversation wants of what came."""
        while self._layer is not None and not self._holding and self._closing_since is None and not self.gone:
            try:
                piece = self._layer.unpack()
            except zlib.error as error:
                log.info("no deflate", reason=str(error), door=self._door.name, ip=self.ip)
                self.abort()
                return
            if not piece:
                return
            assert self._conversation is not None
            self._conversation.received(piece)

    def _release_early(self) -> None:
        early, self._early = self._early, None
        for data in early or ():
            self.data_received(data)
