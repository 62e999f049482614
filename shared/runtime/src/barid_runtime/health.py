"""Liveness, readiness and metrics on a port of their own, over the least HTTP that probes and Prometheus speak.

`/livez`   200 while the loop turns.
`/readyz`  200 if every check of every service says `ok`, else 503; the checks as JSON either way.
`/metrics` Prometheus' text.

A request is at most REQUEST_MOST bytes of head, answered once, then the connection is closed (RFC 9112 §9.6).
"""

import asyncio
import json
from collections.abc import Callable, Sequence

from . import metrics
from .logging import get_logger
from .service import Service

REQUEST_MOST = 8 * 1024
"""Bytes of a request's head; probes send some hundred."""

REQUEST_SECONDS = 5.0
CONNECTIONS_MOST = 64
"""At a time; more are closed at once: nobody who probes needs them."""

_STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

_lag = metrics.Metrics("process").seconds("loop_lag", "How late the event loop came to a timer, looked at each second")

log = get_logger("health")

Response = tuple[int, str, bytes]


async def _measure_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 1.0
        await asyncio.sleep(1.0)
        _lag.observe(max(0.0, loop.time() - due))


class HealthServer:
    """Serves until `close`. `draining` makes readiness say no, so that load balancers turn away first."""

    def __init__(self, services: Sequence[Service], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._services = services
        self._host = host
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None
        self.port = port
        self.draining = False
        self.started: Callable[[Service], bool] = lambda service: True

    async def start(self) -> None:
        """Raises OSError if the port is taken."""
        self._server = await asyncio.start_server(self._on_connection, self._host, self.port, limit=REQUEST_MOST)
        self.port = self._server.sockets[0].getsockname()[1]
        self._beating = asyncio.get_running_loop().create_task(_measure_lag(), name="health-lag")

    async def close(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            self._beating = None
        if self._server is not None:
            self._server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def checks(self) -> dict[str, dict[str, str]]:
        """Service → check → `ok` or what is wrong."""
        found: dict[str, dict[str, str]] = {}
        for service in self._services:
            if not self.started(service):
                found[service.name] = {"start": "not started yet"}
                continue
            try:
                found[service.name] = service.checks()
            except Exception:
                log.exception("check failed", service=service.name)
                found[service.name] = {"checks": "failed; see the log"}
        return found

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= CONNECTIONS_MOST:
            writer.close()
            return
        self._open.add(task)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError:
                    head = b""
                status, content_type, body = self._respond(head)
                writer.write(
                    f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                )
                if not head.startswith(b"HEAD "):
                    writer.write(body)
                await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            self._open.discard(task)
            writer.close()

    def _respond(self, head: bytes) -> Response:
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return 400, "text/plain", b"not a request\n"
        if words[0] not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"only GET and HEAD\n"
        path = words[1].partition(b"?")[0]
        if path == b"/livez":
            return 200, "text/plain", b"ok\n"
        if path == b"/readyz":
            return self._readiness()
        if path == b"/metrics":
            return 200, metrics.CONTENT_TYPE, metrics.exposition()
        return 404, "text/plain", b"/livez, /readyz, /metrics\n"

    def _readiness(self) -> Response:
        checks = self.checks()
        ready = not self.draining and all(word == "ok" for each in checks.values() for word in each.values())
        body = {"ready": ready, "draining": self.draining, "checks": checks}
        return 200 if ready else 503, "application/json", json.dumps(body).encode() + b"\n"
