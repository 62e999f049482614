"""The bus on NATS, through nats-py.

Rules that hold here and not in the library:

- Nothing waits in a reconnect buffer. While the bus is away a request fails at once (BusUnavailable), an event is
  dropped, and requests already under way fail the moment the connection is lost.
- A connection that the server ended for good is opened again, with all subscriptions; only `close` closes.
- Streams and consumers that we asked for are remembered and made again when a wiped server comes back.

Requests have a reply inbox and a table of waiting futures of their own: nats-py's wait out their timeout when the
connection is lost, and cost a task and a timer more per request.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from barid_contracts.base import Problem

from ..logging import get_logger
from .jetstream import StreamConsumer, Streams, check_ack
from .port import (
    DEFAULT_DEADLINE,
    Answer,
    BusError,
    BusUnavailable,
    Consumer,
    DeadlineExceeded,
    Listener,
    NoResponders,
    OperationFailed,
    Stream,
    Subscription,
)
from .subscriptions import CONNECT_TIMEOUT, PROBLEM_HEADER, Listening, Serving, flushed

PENDING_BYTES = 64 * 1024 * 1024
"""Bytes that may wait for the socket before publishers are slowed: some batches of events, not a memory hazard."""

RECONNECT_FIRST = 0.02
RECONNECT_MOST = 2.0
"""Seconds between attempts to connect, doubling; each is drawn between half and whole, so that nobody comes in step."""

ERRORS_MOST = 4
"""Different errors of attempts to connect that are told when we give up."""

PING_SECONDS = 10
"""A server that hangs (rather than dies) is given up after three of these."""

CLOSE_SECONDS = 5.0
"""For an attempt to connect that is under way when we close, and can't be interrupted."""

log = get_logger("bus")


async def connect(
    url: str, *, user: str = "", password: str = "", name: str = "", timeout: float = DEFAULT_DEADLINE
) -> "NatsBus":
    """Connect to one of the servers in `url` (several: comma-separated). Raises BusUnavailable after `timeout`.

    user: also names our part of the inbox space, `_INBOX.<user>.>`, which the server's permissions keep for us.
    """
    bus = NatsBus(url, user=user, password=password, name=name)
    await bus.open(timeout)
    return bus


class _AttemptFailed(Exception):
    """One attempt to connect failed."""


class NatsBus:
    """A Bus. Make it with `connect`."""

    def __init__(self, url: str, *, user: str, password: str, name: str) -> None:
        self._servers = url.split(",")
        self._user = user
        self._password = password
        self._name = name
        self._client: Client | None = None
        self._closing = False
        self._away = True
        self._attempts = 0
        self._last_error = ""
        self._errors: dict[str, None] = {}
        self._inbox = f"_INBOX.{user or 'any'}.{secrets.token_hex(12)}"
        self._reply_prefix = f"{self._inbox}.r."
        self._next_token = 0
        self._waiting: dict[int, asyncio.Future[Msg]] = {}
        self._subscriptions: list[Listening] = []
        self._streams = Streams(self.request)
        self._consumers: list[StreamConsumer] = []
        self._reconnect_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._flushes: set[asyncio.Task[None]] = set()

    # --- connection

    async def open(self, timeout: float) -> None:
        """Connect for the first time."""
        self._subscriptions.append(Listening(self, self._reply_prefix + "*", "", self._on_reply))
        opening = self._spawn(self._keep_trying())
        # Not a timeout around it: nats-py may swallow the one cancellation that this would send.
        await asyncio.wait((opening,), timeout=timeout)
        if not self.connected:
            said = "; ".join(self._errors) or "no answer"
            await self.close()
            raise BusUnavailable(f"no bus at {', '.join(self._servers)}: {said}")

    async def _keep_trying(self) -> None:
        while not self._closing:
            try:
                await self._connect()
            except (NatsError, OSError, TimeoutError, _AttemptFailed) as error:
                self._note(error)
                await asyncio.sleep(self._pause())
            else:
                return

    async def _connect(self) -> None:
        """One attempt. The library's callbacks count while the client is the one in use."""
        client = Client()
        opening = True

        async def on_error(error: Exception) -> None:
            self._note(error)
            if opening:
                # The library would try for ever by itself, deaf to us.
                raise _AttemptFailed(str(error))
            if not self._away:
                log.warning("bus error", error=self._last_error)

        async def on_disconnect() -> None:
            if client is self._client:
                self._lost()

        async def on_reconnect() -> None:
            if client is self._client:
                self._back()

        async def on_closed() -> None:
            if client is self._client:
                self._ended()

        try:
            await client.connect(
                self._servers,
                name=self._name or self._user,
                user=self._user or None,
                password=self._password or None,
                inbox_prefix=self._inbox,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                closed_cb=on_closed,
                reconnect_to_server_handler=self._choose_server,
                # Also how long its close waits for its own reconnecting to end.
                reconnect_time_wait=RECONNECT_FIRST,  # type: ignore[arg-type] # declared int, slept on
                max_reconnect_attempts=-1,
                connect_timeout=CONNECT_TIMEOUT,
                ping_interval=PING_SECONDS,
                pending_size=PENDING_BYTES,
                skip_subject_validation=True,
            )
            opening = False
            for subscription in self._subscriptions:
                await subscription.attach(client)
            if not client.is_connected:
                raise _AttemptFailed("lost again at once")
        except BaseException:
            opening = False
            await _close(client)
            raise
        self._client = client
        self._attempts = 0
        self._away = False
        self._errors.clear()

    def _note(self, error: BaseException) -> None:
        """While connecting, a line each attempt would be noise: the loss is logged once, in `_lost`."""
        self._last_error = str(error) or type(error).__name__
        if len(self._errors) < ERRORS_MOST:
            # A refusal by name may be followed by mere resets: all that was said is told.
            self._errors[self._last_error] = None

    def _pause(self) -> float:
        ceiling = min(RECONNECT_MOST, RECONNECT_FIRST * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        return ceiling * random.uniform(0.5, 1)  # noqa: S311 - jitter

    def _choose_server(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
        return random.choice(servers), self._pause()  # noqa: S311 - any will do

    def _lost(self) -> None:
        if self._away:
            return
        self._away = True
        if not self._closing:
            log.warning("bus lost", error=self._last_error)
        self._fail_waiting("the bus went away")
        for flush in self._flushes:
            flush.cancel()

    async def flush(self) -> None:
        """Until the server has read all that we wrote, or the connection is lost: then nobody waits for a PONG."""
        if self._client is not None and self.connected:
            task = self._spawn(flushed(self._client))
            self._flushes.add(task)
            await asyncio.wait((task,))
            self._flushes.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._note(error)

    def _fail_waiting(self, why: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BusUnavailable(why))
        self._waiting.clear()

    def _back(self) -> None:
        self._attempts = 0
        self._away = False
        self._errors.clear()
        log.info("bus is back")
        for consumer in self._consumers:
            consumer.on_reconnect()
        if self._reconnect_callbacks:
            self._spawn(self._run_reconnect_callbacks())

    async def _run_reconnect_callbacks(self) -> None:
        for callback in self._reconnect_callbacks:
            try:
                await callback()
            except Exception:
                log.exception("reconnect callback failed")

    def _ended(self) -> None:
        """nats-py gave the connection up (the server said -ERR): begin anew."""
        self._lost()
        if not self._closing:
            self._spawn(self._reopen())

    async def _reopen(self) -> None:
        await asyncio.sleep(self._pause())
        await self._keep_trying()
        if not self._closing:
            self._back()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def connected(self) -> bool:
        return not self._away and self._client is not None and self._client.is_connected

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._reconnect_callbacks.append(callback)

    async def close(self) -> None:
        """Handlers that run may finish and answer; then disconnect."""
        if self._closing:
            return
        # All but the one that hears replies: handlers that finish may still ask.
        await asyncio.gather(*[subscription.drain() for subscription in self._subscriptions[1:]])
        # After that: until then the server goes on sending what was asked for, and what is given back.
        for consumer in self._consumers:
            await consumer.release()
        self._closing = True
        if self._client is not None:
            await self.flush()
            await _close(self._client)
        self._away = True
        self._fail_waiting("the bus was closed")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    # --- request and reply

    async def request(self, subject: str, payload: bytes, *, timeout: float = DEFAULT_DEADLINE) -> bytes:
        return (await self._ask(subject, payload, None, timeout)).data

    async def _ask(self, subject: str, payload: bytes, headers: dict[str, str] | None, timeout: float) -> Msg:
        if not self.connected:
            raise BusUnavailable(f"the bus is away: {subject} not asked")
        token = self._next_token
        self._next_token = token + 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        self._waiting[token] = future
        timer = loop.call_later(timeout, self._expire, future, subject)
        try:
            await self.send(subject, payload, f"{self._reply_prefix}{token}", headers)
            message = await future
        finally:
            timer.cancel()
            self._waiting.pop(token, None)
        if message.headers:
            if message.headers.get("Status") == "503":
                raise NoResponders(f"nobody serves {subject}")
            if PROBLEM_HEADER in message.headers:
                problem = Problem.model_validate_json(message.data)
                raise OperationFailed(problem.code, problem.text)
        return message

    async def send(self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None:
        assert self._client is not None
        try:
            await self._client.publish(subject, payload, reply, headers)
        except MaxPayloadError:
            raise BusError(f"{len(payload)} bytes are too many for one message to {subject}") from None
        except NatsError as error:
            raise BusUnavailable(str(error)) from error

    @staticmethod
    def _expire(future: asyncio.Future[Msg], subject: str) -> None:
        if not future.done():
            future.set_exception(DeadlineExceeded(f"no answer to {subject} in time"))

    async def _on_reply(self, message: Msg) -> None:
        token = message.subject[len(self._reply_prefix) :]
        future = self._waiting.get(int(token)) if token.isdecimal() else None
        if future is not None and not future.done():
            future.set_result(message)

    async def serve(self, subject: str, handler: Answer, *, queue: str, concurrency: int = 256) -> Subscription:
        serving = Serving(self, subject, queue, handler, concurrency)
        await self._add(serving)
        return serving

    # --- events

    async def publish(self, subject: str, payload: bytes) -> None:
        if not self.connected:
            return
        try:
            await self.send(subject, payload)
        except BusUnavailable:
            return

    async def subscribe(self, subject: str, listener: Listener) -> Subscription:
        async def on_message(message: Msg) -> None:
            try:
                await listener(message.data)
            except Exception:
                log.exception("listener failed", subject=message.subject)

        listening = Listening(self, subject, "", on_message)
        await self._add(listening)
        return listening

    async def _add(self, subscription: Listening) -> None:
        self._subscriptions.append(subscription)
        assert self._client is not None
        try:
            await subscription.attach(self._client)
            if self.connected:
                # A server that has not read the SUB yet answers `no responders` to whoever asks us now.
                await self.flush()
        except NatsError as error:
            # The next connection takes it along.
            log.warning("subscribed while the bus is away", error=str(error))

    def forget(self, subscription: Listening) -> None:
        """It was drained: don't take it along to the next connection."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    # --- durable work

    async def publish_durable(self, subject: str, payload: bytes, *, message_id: str) -> None:
        headers = {"Nats-Msg-Id": message_id}
        try:
            message = await self._ask(subject, payload, headers, DEFAULT_DEADLINE)
        except NoResponders:
            if not self._streams.known:
                raise
            await self._streams.remake()
            message = await self._ask(subject, payload, headers, DEFAULT_DEADLINE)
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


async def _close(client: Client) -> None:
    """nats-py's close writes what is pending first, and gives up half-way when the connection is already gone."""
    try:
        await client.close()
    except (NatsError, OSError, AssertionError):
        transport: Any = client._transport
        if transport is not None:
            transport.close()
