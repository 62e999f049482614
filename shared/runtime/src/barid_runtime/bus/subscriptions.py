"""Subscriptions that outlive connections: events one at a time, requests many at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from barid_contracts.base import Problem

from .. import tracing
from ..logging import get_logger
from ..metrics import Metrics
from .port import Answer, BusError, BusUnavailable, OperationFailed

PROBLEM_HEADER = "Barid-Problem"

CONNECT_TIMEOUT = 2
"""Seconds for one attempt to connect, and for one round trip to a server that is there."""

DRAIN_SECONDS = 10.0
"""What a handler may still take when its service drains; after that it is cancelled."""

_metrics = Metrics("bus")
_served = _metrics.seconds("served", "From a request's arrival to its answer, refusals included", ["operation"])
_refused = _metrics.counter("refused", "Requests answered with a problem", ["operation", "code"])

log = get_logger("bus")


class Link(Protocol):
    """What subscriptions need of the bus."""

    @property
    def connected(self) -> bool: ...

    async def flush(self) -> None: ...

    def forget(self, subscription: "Listening") -> None: ...

    async def send(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None: ...

    async def send_raw(self, subject: str, payload: bytes, reply: str = "") -> None: ...


async def flushed(client: Client) -> None:
    """Until the server has read all that we wrote. Twice: nats-py's first PING overtakes what its flusher holds."""
    await client.flush(CONNECT_TIMEOUT)
    await client.flush(CONNECT_TIMEOUT)


class Listening:
    """A subscription that outlives connections. Messages come one at a time, in order."""

    def __init__(self, bus: Link, subject: str, queue: str, on_message: Callable[[Msg], Awaitable[None]]) -> None:
        self._bus = bus
        self._subject = subject
        self._queue = queue
        self._on_message = on_message
        self._inner: Any = None

    async def attach(self, client: Client) -> None:
        self._inner = await client.subscribe(self._subject, self._queue, cb=self._on_message)

    async def drain(self) -> None:
        self._bus.forget(self)
        inner, self._inner = self._inner, None
        if inner is None:
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                if self._bus.connected:
                    # As its own drain does, but that lets go of what the server sends between its PONG and our UNSUB.
                    await inner._conn._send_unsubscribe(inner._id)
                    await self._bus.flush()
                    await inner._pending_queue.join()
                await inner.unsubscribe()
        except (NatsError, OSError, TimeoutError):
            # The connection is gone, and what it had not delivered with it.
            pass


class Serving(Listening):
    """Requests, each in a task of its own."""

    def __init__(self, bus: Link, subject: str, queue: str, handler: Answer, concurrency: int) -> None:
        super().__init__(bus, subject, queue, self._on_request)
        self._handler = handler
        self._operation = subject.removeprefix("mail.v1.")
        self._seconds = _served.labels(self._operation)
        self._free = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()

    async def _on_request(self, message: Msg) -> None:
        # Waits while all places are taken, and with it the subscription's queue: the rest stays unread.
        await self._free.acquire()
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._free.release()

    async def _answer(self, message: Msg) -> None:
        began = time.perf_counter()
        if tracing.door is not None:  # in this task's context alone
            tracing.incoming.set((message.headers or {}).get(tracing.HEADER, ""))
        try:
            reply = await self._handler(message.data)
        except OperationFailed as refusal:
            _refused.labels(self._operation, refusal.code).inc()
            await self._refuse(message, Problem(code=refusal.code, text=refusal.text))
        except Exception:
            log.exception("request failed", subject=message.subject)
            _refused.labels(self._operation, "internal").inc()
            await self._refuse(message, Problem(code="internal"))
        else:
            if message.reply:
                try:
                    await self._bus.send_raw(message.reply, reply)
                except BusError:
                    log.exception("reply too large", subject=message.subject, size=len(reply))
                    await self._refuse(message, Problem(code="internal"))
        self._seconds.observe(time.perf_counter() - began)

    async def _refuse(self, message: Msg, problem: Problem) -> None:
        if message.reply and self._bus.connected:
            try:
                body = problem.model_dump_json().encode()
                await self._bus.send(message.reply, body, headers={PROBLEM_HEADER: problem.code})
            except BusUnavailable:
                return

    async def drain(self) -> None:
        await super().drain()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
