"""Metrics of a stream and a consumer, looked at every now and then by the service whose replicas share it.

All replicas tell the same: take the maximum.
"""

import asyncio

from ..logging import get_logger
from ..metrics import Metrics
from .condition import conditions
from .port import Bus

LOOK_EVERY = 10.0
"""Seconds: two requests, a millisecond of a server's time."""

LOOK_SECONDS = 2.0
"""For an answer. A stream whose leader was just lost has another in four to nine."""

_metrics = Metrics("bus")
_leader = _metrics.gauge("stream_leader", "1 while the stream has a leader that answers", ["consumer"])
_behind = _metrics.gauge("stream_followers_behind", "Servers whose copy of the stream is not current", ["consumer"])
_waiting = _metrics.gauge("consumer_waiting", "Batches of mail that nobody has in hand", ["consumer"])
_in_hand = _metrics.gauge("consumer_in_hand", "Batches delivered and not acknowledged", ["consumer"])
_again = _metrics.gauge("consumer_redelivered", "Batches in hand that were delivered before", ["consumer"])

log = get_logger("bus")


class Watching:
    """From `start` to `close`."""

    def __init__(self, bus: Bus, stream: str, durable: str) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bus-watching")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        """Once."""
        stream, consumers = await conditions(self._bus, self._stream, (self._durable,), timeout=LOOK_SECONDS)
        name = self._durable
        _leader.labels(name).set(not stream.problem)
        if not stream.problem:
            _behind.labels(name).set(sum(not each.in_sync for each in stream.followers))
        for consumer in consumers:
            if not consumer.problem:
                _waiting.labels(name).set(consumer.waiting)
                _in_hand.labels(name).set(consumer.in_hand)
                _again.labels(name).set(consumer.redelivered)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("the bus can't be watched")
            await asyncio.sleep(LOOK_EVERY)
