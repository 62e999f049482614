"""The bus on NATS, through nats-py.

Rules that hold here and not in the library:

- Nothing waits in a reconnect buffer. While the bus is away a request fails at once (BusUnavailable), an event is
  dropped, and requests already under way fail the moment the connection is lost (requests.py).
- A connection that the server ended for good is opened again (connection.py), with all subscriptions
  (subscriptions.py).
- Streams and consumers that we asked for are remembered and made again when a wiped server comes back (jetstream.py).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from .. import tracing
from ..logging import get_logger
from ..metrics import Metrics
from .access import Access
from .connection import Connection
from .jetstream import StreamConsumer, Streams, check_ack
from .port import (
    DEFAULT_DEADLINE,
    Answer,
    BusError,
    BusUnavailable,
    Consumer,
    Listener,
    NoResponders,
    Stream,
    Subscription,
)
from .requests import Requests
from .subscriptions import Listening, Serving

_metrics = Metrics("bus")
_connected = _metrics.gauge("connected", "1 while the connection is there", ["service"])
_losses = _metrics.counter("losses", "Times that the connection was lost", ["service"])

log = get_logger("bus")


async def connect(
    at: Access | str, *, user: str = "", password: str = "", name: str = "", timeout: float = DEFAULT_DEADLINE
) -> "NatsBus":
    """Connect to one of the bus's servers. Raises BusUnavailable after `timeout`.

    at: as settings have it; or its url, with user and password where a log-in is asked. name: what lists of
    connections say.
    """
    bus = NatsBus(Access(at, user, password) if isinstance(at, str) else at, name=name)
    await bus.open(timeout)
    return bus


class NatsBus:
    """A Bus. Make it with `connect`."""

    def __init__(self, access: Access, *, name: str) -> None:
        self._inbox = f"_INBOX.{access.user or 'any'}.{secrets.token_hex(12)}"
        self._requests = Requests(self, self._inbox)
        self._connection = Connection(
            access,
            name=name,
            inbox=self._inbox,
            on_lost=self._lost,
            on_back=self._back,
        )
        self._closing = False
        self._streams = Streams(self.request, access.replicas)
        self._consumers: list[StreamConsumer] = []
        self._reconnect_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._losses = _losses.labels(name or "any")
        _connected.labels(name or "any").set_function(lambda: self.connected)

    # --- connection

    async def open(self, timeout: float) -> None:
        """Connect for the first time."""
        self._connection.subscriptions.append(Listening(self, self._requests.replies, "", self._requests.on_reply))
        await self._connection.open(timeout)

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def server(self) -> str:
        return self._connection.server

    async def flush(self) -> None:
        """Until the server has read all that we wrote, or the connection is lost."""
        await self._connection.flush()

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._reconnect_callbacks.append(callback)

    def _lost(self, why: str) -> None:
        if not self._closing:
            self._losses.inc()
        self._requests.fail_all(why)

    def _back(self) -> None:
        for consumer in self._consumers:
            consumer.on_reconnect()
        if self._reconnect_callbacks:
            self._connection.spawn(self._run_reconnect_callbacks())

    async def _run_reconnect_callbacks(self) -> None:
        for callback in self._reconnect_callbacks:
            try:
                await callback()
            except Exception:
                log.exception("reconnect callback failed")

    async def close(self) -> None:
        """Handlers that run may finish and answer; then disconnect."""
        if self._closing:
            return
        self._closing = True
        # All but the one that hears replies: handlers that finish may still ask.
        await asyncio.gather(*[subscription.drain() for subscription in self._connection.subscriptions[1:]])
        # After that: until then the server goes on sending what was asked for, and what is given back.
        for consumer in self._consumers:
            await consumer.release()
        await self._connection.close()

    # --- request and reply

    async def request(
        self, subject: str, payload: bytes, *, timeout: float = DEFAULT_DEADLINE, traces: str = ""
    ) -> bytes:
        headers = {tracing.HEADER: traces} if traces else None
        return (await self._requests.ask(subject, payload, headers, timeout)).data

    async def gather(self, subject: str, payload: bytes, *, timeout: float) -> list[bytes]:
        return await self._requests.gather(subject, payload, timeout)

    async def send(self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None:
        client = self._connection.client
        assert client is not None
        try:
            await client.publish(subject, payload, reply, headers)
        except MaxPayloadError:
            raise BusError(f"{len(payload)} bytes are too many for one message to {subject}") from None
        except NatsError as error:
            raise BusUnavailable(str(error)) from error

    async def serve(self, subject: str, handler: Answer, *, queue: str, concurrency: int = 256) -> Subscription:
        serving = Serving(self, subject, queue, handler, concurrency)
        await self._add(serving)
        return serving

    # --- events

    async def publish(self, subject: str, payload: bytes, *, traces: str = "") -> None:
        if not self.connected:
            return
        try:
            await self.send(subject, payload, headers={tracing.HEADER: traces} if traces else None)
        except BusUnavailable:
            return

    async def subscribe(self, subject: str, listener: Listener) -> Subscription:
        async def on_message(message: Msg) -> None:
            if tracing.door is not None:
                tracing.incoming.set((message.headers or {}).get(tracing.HEADER, ""))
            try:
                await listener(message.data)
            except Exception:
                log.exception("listener failed", subject=message.subject)

        listening = Listening(self, subject, "", on_message)
        await self._add(listening)
        return listening

    async def _add(self, subscription: Listening) -> None:
        self._connection.subscriptions.append(subscription)
        client = self._connection.client
        assert client is not None
        try:
            await subscription.attach(client)
            if self.connected:
                # A server that has not read the SUB yet answers `no responders` to whoever asks us now.
                await self.flush()
        except NatsError as error:
            # The next connection takes it along.
            log.warning("subscribed while the bus is away", error=str(error))

    def forget(self, subscription: Listening) -> None:
        """It was drained: don't take it along to the next connection."""
        if subscription in self._connection.subscriptions:
            self._connection.subscriptions.remove(subscription)

    # --- durable work

    async def publish_durable(self, subject: str, payload: bytes, *, message_id: str, traces: str = "") -> None:
        headers = {"Nats-Msg-Id": message_id}
        if traces:
            headers[tracing.HEADER] = traces
        try:
            message = await self._requests.ask(subject, payload, headers, DEFAULT_DEADLINE)
        except NoResponders:
            if not self._streams.known:
                raise
            await self._streams.remake()
            message = await self._requests.ask(subject, payload, headers, DEFAULT_DEADLINE)
        check_ack(message.data)

    async def ensure_stream(self, stream: Stream) -> None:
        await self._streams.ensure(stream)

    async def consumer(self, stream: str, *, durable: str, subject: str, ack_wait: float = 30.0) -> Consumer:
        number = len(self._consumers)
        consumer = StreamConsumer(
            self, self._streams, stream, durable, subject, ack_wait, inbox=f"{self._inbox}.c{number}"
        )
        await self._add(Listening(self, consumer.inbox, "", consumer.on_message))
        self._consumers.append(consumer)
        await consumer.make()
        return consumer

    async def send_raw(self, subject: str, payload: bytes, reply: str = "") -> None:
        """For consumers: acknowledgements and pull requests, which are lost while the bus is away."""
        if self.connected:
            try:
                await self.send(subject, payload, reply)
            except BusUnavailable:
                return
