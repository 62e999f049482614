"""A connection as bytes: read, write, wait until written, encrypt.

Not asyncio's streams: what was read before a TLS handshake must be seen (response injection), and a write whose peer is
gone must say so.
"""

import asyncio
import ssl
from typing import cast

READ_MOST = 64 * 1024
"""Bytes kept unread before the peer is slowed: replies are short."""

RESOLUTION = 0.002
"""Seconds that a timer may be early by: loops count in milliseconds."""


class Channel(asyncio.Protocol):
    """Raises OSError (TLS errors are such) and TimeoutError; `read` gives b"" at the end.

    One timer a connection serves all its reads: it looks whether the deadline of the moment has passed, and if not
    sleeps on. Timers for each wait, two for each reply, cost a tenth of a mail's price.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
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

    async def read(self, until: float) -> bytes:
        """until: by the loop's time. Raises TimeoutError."""
        while not self._received and not self._ended:
            loop = asyncio.get_running_loop()
            if loop.time() >= until:
                raise TimeoutError
            self._reader = loop.create_future()
            self._watch(loop, until)
            await self._reader
        data = bytes(self._received)
        self._received.clear()
        if len(data) > READ_MOST and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data

    def _watch(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        self._deadline = until
        if self._timer is None or self._timer_at > until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = loop.call_at(until, self._look), until

    def _look(self) -> None:
        self._timer = None
        if self._reader is None or self._reader.done():
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline - RESOLUTION:
            self._watch(loop, self._deadline)
        else:
            self._reader.set_exception(TimeoutError())

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._ended:
            self._transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Until most of what was written is on its way. Returns when the connection has ended: the reader says how.
        Raises TimeoutError."""
        if self._paused:
            self._drainer = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(seconds):
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
