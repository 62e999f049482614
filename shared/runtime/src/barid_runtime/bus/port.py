"""The bus as services see it: requests with deadlines, fire-and-forget events, and durable work.

BusError                  the root
├── BusUnavailable        not connected, or it went away while we waited: whoever depends on it waits, then tries again
├── NoResponders          nobody serves this subject now (RFC-less; NATS says so at once)
├── DeadlineExceeded      no answer in time; the work may have been done: only idempotent requests are repeated
└── OperationFailed       the other side answered with a `Problem`; `code` and `text` are safe to show
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

DEFAULT_DEADLINE = 5.0
"""Seconds to wait for an answer: enough for a full batch behind a slow fsync, within a client's patience."""


class BusError(Exception):
    """Anything that the bus, or whoever answers on it, made fail."""


class BusUnavailable(BusError):
    """The bus can't be reached now."""


class NoResponders(BusError):
    """Nobody serves the subject now."""


class DeadlineExceeded(BusError):
    """No answer came in time."""


class OperationFailed(BusError):
    """The answering service said no. Raise it in a handler to say no."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code
        self.text = text


Answer = Callable[[bytes], Awaitable[bytes]]
Listener = Callable[[bytes], Awaitable[None]]


class Subscription(Protocol):
    async def drain(self) -> None:
        """Take no more, finish what was begun."""


class Delivery(Protocol):
    """One durable message in our hands. One of ack and nak ends it; else it comes again after its ack wait."""

    @property
    def payload(self) -> bytes: ...

    @property
    def traces(self) -> str:
        """What its sender gave as `traces`; empty if we make no traces."""

    @property
    def attempt(self) -> int:
        """1 at the first delivery."""

    async def ack(self) -> None: ...

    async def nak(self, delay: float = 0.0) -> None: ...

    async def in_progress(self) -> None:
        """Not done yet: start the ack wait anew."""


class Consumer(Protocol):
    async def fetch(self, limit: int, wait: float) -> list[Delivery]:
        """Up to `limit` messages; returns as soon as there is one, or empty after `wait` seconds."""

    async def pending(self) -> int:
        """Messages not yet delivered, and those delivered but not acknowledged."""


MAX_AGE = 7 * 86_400.0
"""Seconds that a stream keeps a message which nobody took. The journal is the log of record, so what is owed is
published again; and whoever forgets outcomes must know for how long the bus may still bring a mail."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A durable stream, made by whoever needs it first; the same call twice changes nothing. How many servers keep it
    is the bus's affair (`Access.replicas`)."""

    name: str
    subjects: tuple[str, ...]


class Bus(Protocol):
    @property
    def connected(self) -> bool: ...

    @property
    def server(self) -> str:
        """Name of the server that we are connected to; empty while the bus is away."""

    async def gather(self, subject: str, payload: bytes, *, timeout: float) -> list[bytes]:
        """Ask all who serve the subject, whatever their queues; their answers within `timeout`, which it takes whole
        unless nobody is there: nobody knows how many there are. Answers that are problems are left out."""

    async def request(
        self, subject: str, payload: bytes, *, timeout: float = DEFAULT_DEADLINE, traces: str = ""
    ) -> bytes:
        """Ask one of those who serve the subject. traces: see tracing.py; it finds them in `tracing.incoming`."""

    async def serve(self, subject: str, handler: Answer, *, queue: str, concurrency: int = 256) -> Subscription:
        """Answer requests, many at a time, shared among all who serve with the same queue name; an empty one is shared
        with nobody: each hears every request.

        A handler that raises OperationFailed says no; any other exception is logged and answered as `internal`.
        """

    async def publish(self, subject: str, payload: bytes, *, traces: str = "") -> None:
        """Tell whoever listens now. Dropped (not an error) while the bus is away. traces: as in `request`."""

    async def subscribe(self, subject: str, listener: Listener) -> Subscription:
        """Hear events, one at a time and in order. Lasts over reconnects."""

    async def publish_durable(self, subject: str, payload: bytes, *, message_id: str, traces: str = "") -> None:
        """Returns when the stream has it. The same `message_id` again within two minutes is dropped by the bus."""

    async def ensure_stream(self, stream: Stream) -> None: ...

    async def consumer(self, stream: str, *, durable: str, subject: str, ack_wait: float = 30.0) -> Consumer:
        """A pull consumer shared by all who give the same `durable` name; redelivers without limit."""

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Called after a lost connection is back: events may have been missed."""

    async def close(self) -> None:
        """Drain and disconnect."""
