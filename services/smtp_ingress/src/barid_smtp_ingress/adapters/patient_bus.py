"""A bus that may not be there yet: mail for known recipients is accepted before it is.

Until the first connection everything fails as it does while a connected bus is away (BusUnavailable); subscriptions are
kept and made then, and `on_reconnect` callbacks are called, as after any absence.
"""

import asyncio
from collections.abc import Awaitable, Callable

from barid_runtime.bus.port import (
    DEFAULT_DEADLINE,
    Answer,
    Bus,
    BusError,
    BusUnavailable,
    Consumer,
    Listener,
    Stream,
    Subscription,
)
from barid_runtime.logging import get_logger

FIRST_WAIT = 1.0
"""Seconds that `start` waits for the bus, so that a service is not open before its neighbours without need."""

log = get_logger("smtp_ingress.bus")


class PatientBus:
    """Implements barid_runtime.bus.port.Bus over the one that `connect` will give."""

    def __init__(self, connect: Callable[[], Awaitable[Bus]]) -> None:
        self._connect = connect
        self._bus: Bus | None = None
        self._late: list[_LateSubscription] = []
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._connecting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when connected, or after FIRST_WAIT; then it goes on trying."""
        self._connecting = asyncio.get_running_loop().create_task(self._open(), name="first-connection")
        await asyncio.wait({self._connecting}, timeout=FIRST_WAIT)

    async def _open(self) -> None:
        while True:
            try:
                bus = await self._connect()
            except BusError as error:
                log.warning("no bus yet: mail for known recipients is taken", error=str(error))
            else:
                break
        for late in self._late:
            await late.attach(bus)
        for callback in self._callbacks:
            bus.on_reconnect(callback)
        self._bus = bus
        for callback in self._callbacks:
            await callback()

    def _there(self) -> Bus:
        if self._bus is None:
            raise BusUnavailable("the bus is not there yet")
        return self._bus

    @property
    def connected(self) -> bool:
        return self._bus is not None and self._bus.connected

    @property
    def server(self) -> str:
        return self._bus.server if self._bus is not None else ""

    async def gather(self, subject: str, payload: bytes, *, timeout: float) -> list[bytes]:
        return await self._there().gather(subject, payload, timeout=timeout)

    async def request(
        self, subject: str, payload: bytes, *, timeout: float = DEFAULT_DEADLINE, traces: str = ""
    ) -> bytes:
        return await self._there().request(subject, payload, timeout=timeout, traces=traces)

    async def serve(self, subject: str, handler: Answer, *, queue: str, concurrency: int = 256) -> Subscription:
        return await self._there().serve(subject, handler, queue=queue, concurrency=concurrency)

    async def publish(self, subject: str, payload: bytes, *, traces: str = "") -> None:
        if self._bus is not None:
            await self._bus.publish(subject, payload, traces=traces)

    async def subscribe(self, subject: str, listener: Listener) -> Subscription:
        late = _LateSubscription(subject, listener)
        if self._bus is not None:
            await late.attach(self._bus)
        else:
            self._late.append(late)
        return late

    async def publish_durable(self, subject: str, payload: bytes, *, message_id: str, traces: str = "") -> None:
        await self._there().publish_durable(subject, payload, message_id=message_id, traces=traces)

    async def ensure_stream(self, stream: Stream) -> None:
        await self._there().ensure_stream(stream)

    async def consumer(self, stream: str, *, durable: str, subject: str, ack_wait: float = 30.0) -> Consumer:
        return await self._there().consumer(stream, durable=durable, subject=subject, ack_wait=ack_wait)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Called after the first connection, too."""
        self._callbacks.append(callback)
        if self._bus is not None:
            self._bus.on_reconnect(callback)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._bus is not None:
            await self._bus.close()


class _LateSubscription:
    def __init__(self, subject: str, listener: Listener) -> None:
        self._subject = subject
        self._listener = listener
        self._inner: Subscription | None = None

    async def attach(self, bus: Bus) -> None:
        self._inner = await bus.subscribe(self._subject, self._listener)

    async def drain(self) -> None:
        if self._inner is not None:
            await self._inner.drain()
