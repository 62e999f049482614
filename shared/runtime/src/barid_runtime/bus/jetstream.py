"""Streams and pull consumers, spoken to through JetStream's JSON API.

A consumer keeps one pull request open, long-lived: what arrives while nobody fetches is kept here and handed out by the
next fetch without a round trip, and a fetch that waits gets a message the moment the server has it. Two invariants:

- `_credit` is how many messages the server may still send us unasked; a new request is made when it falls below
  half of what is wanted. It is forgotten when the connection is lost, or when its request is overdue.
- What was kept longer than most of the ack wait is thrown away unread: the server is about to deliver it again.
  What is handed out has nearly all of its ack wait before it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable
from typing import Any, Protocol

from nats.aio.msg import Msg

from .. import tracing
from ..logging import get_logger
from .port import DEFAULT_DEADLINE, MAX_AGE, BusError, BusUnavailable, Delivery, NoResponders, Stream

DUPLICATE_WINDOW = 120
"""Seconds in which a repeated message id is dropped; the port's promise."""

MAX_ACK_PENDING = 20_000
"""Messages delivered and not acknowledged: batches, so far more mails; memory of the consumers bounds it first."""

NANOSECONDS = 1_000_000_000

STREAM_NAME_IN_USE = 10058
"""It exists with another configuration. (`err_code` of the JetStream API.)"""

STREAM_NOT_FOUND = 10059

REMAKE_DEADLINE = 1.0
"""Seconds. While the servers of a cluster choose a new leader (4 to 9 s after one was killed) nobody answers; asked
again soon, work goes on soon."""

OVERDUE = 1.0
"""Seconds after which a pull request's end is no longer waited for: its notice was lost."""

STALE = 0.8
"""Part of the ack wait after which a kept message is the server's again."""

AGED = 0.2
"""Part of the ack wait after which a kept message's wait is started anew when it is handed out."""

log = get_logger("bus")


class Ask(Protocol):
    def __call__(self, subject: str, payload: bytes, *, timeout: float = ...) -> Awaitable[bytes]: ...


class Link(Protocol):
    """What a consumer needs of the bus."""

    @property
    def connected(self) -> bool: ...

    async def request(self, subject: str, payload: bytes, *, timeout: float = ...) -> bytes: ...

    async def send_raw(self, subject: str, payload: bytes, reply: str = "") -> None: ...


def check_ack(reply: bytes) -> None:
    """Raise BusUnavailable unless the stream took the message."""
    if b'"error"' in reply:
        _raise_problem(json.loads(reply))


def _raise_problem(reply: dict[str, Any]) -> None:
    error = reply.get("error")
    if error is not None:
        raise BusUnavailable(f"JetStream: {error.get('description', error)} ({error.get('err_code', '?')})")


class Streams:
    """The streams that were asked for, so that they can be made again. replicas: servers that keep each."""

    def __init__(self, ask: Ask, replicas: int) -> None:
        self._ask = ask
        self._replicas = replicas
        self.known: dict[str, Stream] = {}

    async def ensure(self, stream: Stream, timeout: float = DEFAULT_DEADLINE) -> None:
        self.known[stream.name] = stream
        config = {
            "name": stream.name,
            "subjects": list(stream.subjects),
            "retention": "workqueue",
            "storage": "file",
            "max_consumers": -1,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_age": int(MAX_AGE) * NANOSECONDS,
            "num_replicas": self._replicas,
            "duplicate_window": DUPLICATE_WINDOW * NANOSECONDS,
        }
        body = json.dumps(config).encode()
        reply = json.loads(await self._ask(f"$JS.API.STREAM.CREATE.{stream.name}", body, timeout=timeout))
        if reply.get("error", {}).get("err_code") == STREAM_NAME_IN_USE:
            # Another service may have been told of more servers: what they keep is not thinned out by who comes later.
            found = json.loads(await self._ask(f"$JS.API.STREAM.INFO.{stream.name}", b"", timeout=timeout))
            _raise_problem(found)
            config["num_replicas"] = max(self._replicas, found["config"].get("num_replicas", 1))
            body = json.dumps(config).encode()
            reply = json.loads(await self._ask(f"$JS.API.STREAM.UPDATE.{stream.name}", body, timeout=timeout))
        _raise_problem(reply)

    async def remake(self) -> None:
        for stream in list(self.known.values()):
            await self.ensure(stream, REMAKE_DEADLINE)


class StreamDelivery:
    """A Delivery. Its reply subject carries the attempt: `$JS.ACK.<stream>.<consumer>.<attempt>.<…>`."""

    __slots__ = ("_link", "_reply", "payload", "traces")

    def __init__(self, link: Link, payload: bytes, reply: str, traces: str = "") -> None:
        self._link = link
        self.payload = payload
        self._reply = reply
        self.traces = traces

    @property
    def attempt(self) -> int:
        tokens = self._reply.split(".")
        # Behind a domain or in a cluster account two more tokens stand before the stream (12 tokens instead of 9).
        return int(tokens[4 if len(tokens) == 9 else 6])

    async def ack(self) -> None:
        await self._link.send_raw(self._reply, b"+ACK")

    async def nak(self, delay: float = 0.0) -> None:
        body = b'-NAK {"delay": %d}' % int(delay * NANOSECONDS) if delay > 0 else b"-NAK"
        await self._link.send_raw(self._reply, body)

    async def in_progress(self) -> None:
        await self._link.send_raw(self._reply, b"+WPI")


class StreamConsumer:
    """A Consumer."""

    def __init__(
        self, link: Link, streams: Streams, stream: str, durable: str, subject: str, ack_wait: float, *, inbox: str
    ) -> None:
        self._link = link
        self._streams = streams
        self._stream = stream
        self._durable = durable
        self._subject = subject
        self._ack_wait = ack_wait
        self.inbox = inbox
        self._kept: deque[tuple[float, StreamDelivery]] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._credit = 0
        self._overdue_at = 0.0
        self._remake = False
        self._lock = asyncio.Lock()

    async def make(self, timeout: float = DEFAULT_DEADLINE) -> None:
        """Create the durable consumer, or find it as it should be; its stream too, if we know how."""
        config = {
            "name": self._durable,
            "durable_name": self._durable,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait * NANOSECONDS),
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "filter_subject": self._subject,
        }
        subject = f"$JS.API.CONSUMER.CREATE.{self._stream}.{self._durable}.{self._subject}"
        body = json.dumps({"stream_name": self._stream, "config": config}).encode()
        reply = json.loads(await self._link.request(subject, body, timeout=timeout))
        if reply.get("error", {}).get("err_code") == STREAM_NOT_FOUND and self._stream in self._streams.known:
            await self._streams.ensure(self._streams.known[self._stream], timeout)
            reply = json.loads(await self._link.request(subject, body, timeout=timeout))
        _raise_problem(reply)
        self._remake = False

    def on_reconnect(self) -> None:
        """The requests that were open died with the connection; the server may have come back empty."""
        self._credit = 0
        self._remake = True
        self._wake()

    async def release(self) -> None:
        """Give back what nobody fetched, so that another consumer gets it now."""
        kept, self._kept = self._kept, deque()
        for _, delivery in kept:
            await delivery.nak()

    async def on_message(self, message: Msg) -> None:
        """A message of the stream, or a notice about one of our pull requests."""
        if message.reply:
            self._credit -= 1
            now = asyncio.get_running_loop().time()
            traces = "" if tracing.door is None else (message.headers or {}).get(tracing.HEADER, "")
            self._kept.append((now, StreamDelivery(self._link, message.data, message.reply, traces)))
        else:
            headers = message.headers or {}
            status = headers.get("Status", "")
            if status == "100":
                return
            if status in ("404", "503") or (status == "409" and "Deleted" in headers.get("Description", "")):
                self._remake = True
                self._credit = 0
            else:
                self._credit -= int(headers.get("Nats-Pending-Messages", self._credit))
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _take(self, limit: int) -> list[tuple[float, StreamDelivery]]:
        stale = asyncio.get_running_loop().time() - self._ack_wait * STALE
        kept = self._kept
        while kept and kept[0][0] < stale:
            kept.popleft()
        return [kept.popleft() for _ in range(min(limit, len(kept)))]

    async def _refreshed(self, taken: list[tuple[float, StreamDelivery]]) -> list[Delivery]:
        """What lay here for a while gets its whole ack wait again: it is the handler's, not ours."""
        aged = asyncio.get_running_loop().time() - self._ack_wait * AGED
        for arrived, delivery in taken:
            if arrived > aged:
                break
            await delivery.in_progress()
        return [delivery for _, delivery in taken]

    async def fetch(self, limit: int, wait: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            await self._pull(limit, until)
            if taken := self._take(limit):
                return await self._refreshed(taken)
            remaining = until - loop.time()
            if remaining <= 0:
                return []
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            timer = loop.call_later(min(remaining, self._patience(loop.time())), self._give_up, waiter)
            try:
                await waiter
            finally:
                timer.cancel()

    def _patience(self, now: float) -> float:
        """Seconds until it makes sense to look again, although nothing was heard."""
        if self._credit > 0:
            return max(self._overdue_at - now, 0.01)
        return 0.1

    @staticmethod
    def _give_up(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    async def _pull(self, limit: int, until: float) -> None:
        """See to it that the server may send us what the caller wants."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._credit > 0 and now > self._overdue_at:
            self._credit = 0
        wanted = limit - self._credit - len(self._kept)
        if not self._link.connected or until <= now or wanted * 2 < limit or wanted <= 0:
            return
        if self._remake:
            try:
                async with self._lock:
                    if self._remake:
                        await self.make(REMAKE_DEADLINE)
            except BusError as error:
                log.warning("consumer not ready", durable=self._durable, error=str(error))
                return
        expires = until - now
        self._credit += wanted
        self._overdue_at = max(self._overdue_at, now + expires + OVERDUE)
        body = b'{"batch":%d,"expires":%d}' % (wanted, int(expires * NANOSECONDS))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
        await self._link.send_raw(subject, body, self.inbox)

    async def pending(self) -> int:
        subject = f"$JS.API.CONSUMER.INFO.{self._stream}.{self._durable}"
        try:
            reply = json.loads(await self._link.request(subject, b""))
        except NoResponders as error:
            raise BusUnavailable("JetStream is not there") from error
        _raise_problem(reply)
        return int(reply["num_pending"]) + int(reply["num_ack_pending"])
