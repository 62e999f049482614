"""A connection as bytes: read, write, wait until written, encrypt.

Not asyncio's streams: what was read before a TLS handshake must be seen (response injection), and a write whose peer is
gone must say so.
"""

import asyncio
import ssl
from typing import cast

READ_MOST = 64 * 1024
"""Bytes kept unread before the peer is slowed: replies are short."""


class Channel(asyncio.Protocol):
    """Raises OSError (TLS errors are such) and TimeoutError; `read` gives b"" at the end."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._drainer: asyncio.Future[None] | None = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > READ_MOST and self._transport is not None:
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = exc or self._error
        self._paused = False
        _wake(self._reader)
        _wake(self._drainer)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        _wake(self._drainer)

    # What the session calls.

    @property
    def quiet(self) -> bool:
        """Open, and nothing has come that was not read."""
        return not self._ended and not self._received

    @property
    def unread(self) -> bool:
        """`read` returns at once."""
        return self._ended or bool(self._received)

    async def read(self) -> bytes:
        while not self._received and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = bytes(self._received)
        self._received.clear()
        if len(data) > READ_MOST and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._ended:
            self._transport.write(data)

    async def drain(self) -> None:
        """Until most of what was written is on its way. Returns when the connection has ended: the reader says how."""
        if self._paused:
            self._drainer = asyncio.get_running_loop().create_future()
            await self._drainer

    async def start_tls(self, context: ssl.SSLContext, host: str, timeout: float) -> None:
        assert self._transport is not None
        transport = await asyncio.get_running_loop().start_tls(
            self._transport, self, context, server_hostname=host, ssl_handshake_timeout=timeout
        )
        if transport is None:
            raise ConnectionResetError("the connection ended in the TLS handshake")
        self._transport = transport

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
