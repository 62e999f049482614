"""HTTP/1.1 of uvicorn, with an end to its patience: half-open and dripping clients are cut off, connections counted.

Whoever owes us bytes has REQUEST_SECONDS: to begin a request on an open connection, to end its head, to end its body.
A request that is being answered (a long poll, say) is not timed here.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 60.0
"""Longer than a slow line needs for the largest body; dripped bytes do not prolong it."""

CONNECTIONS_MOST = 2000
"""At a time; more are closed at once. Each costs some 20 KB, and those who wait for mail are at most 1000."""


class TimedProtocol(H11Protocol):
    """A connection with a timer that runs while the client owes bytes."""

    _timer: asyncio.TimerHandle | None = None
    _timed_request: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MOST:
            transport.close()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        request: Any = self.cycle
        if request is not None and not request.response_complete and not request.more_body:
            self._cancel()
        elif self._timer is None or request is not self._timed_request:
            self._cancel()
            self._timed_request = request
            self._timer = self.loop.call_later(REQUEST_SECONDS, self._expire)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self.transport.close()
