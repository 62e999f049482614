"""How the bus's servers stand with a stream and its consumers, as JetStream tells it. For operators.

A stream of a cluster has a leader and followers; while there is no leader nobody answers, which shows as a question
that ends in DeadlineExceeded.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from .port import Bus, BusError, BusUnavailable, DeadlineExceeded, NoResponders


@dataclass(frozen=True, slots=True)
class Follower:
    """behind: operations that it has not seen yet."""

    server: str
    in_sync: bool
    offline: bool
    behind: int


@dataclass(frozen=True, slots=True)
class StreamCondition:
    """leader: empty for a single server. problem: why it can't be told, empty if it can."""

    name: str
    leader: str = ""
    followers: tuple[Follower, ...] = ()
    messages: int = 0
    size: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ConsumerCondition:
    """waiting: messages that nobody has in hand. in_hand: delivered, not acknowledged. redelivered: of those in hand,
    those that were delivered before."""

    name: str
    leader: str = ""
    waiting: int = 0
    in_hand: int = 0
    redelivered: int = 0
    problem: str = ""


async def stream_condition(bus: Bus, stream: str, *, timeout: float) -> StreamCondition:
    """Raises nothing of the bus."""
    try:
        reply = await _ask(bus, f"$JS.API.STREAM.INFO.{stream}", timeout)
    except BusError as error:
        return StreamCondition(stream, problem=_words(error))
    leader, followers = _cluster(reply)
    state = reply.get("state", {})
    return StreamCondition(stream, leader, followers, int(state.get("messages", 0)), int(state.get("bytes", 0)))


async def consumer_condition(bus: Bus, stream: str, durable: str, *, timeout: float) -> ConsumerCondition:
    """Raises nothing of the bus."""
    try:
        reply = await _ask(bus, f"$JS.API.CONSUMER.INFO.{stream}.{durable}", timeout)
    except BusError as error:
        return ConsumerCondition(durable, problem=_words(error))
    leader, _ = _cluster(reply)
    return ConsumerCondition(
        durable, leader, int(reply["num_pending"]), int(reply["num_ack_pending"]), int(reply["num_redelivered"])
    )


async def conditions(
    bus: Bus, stream: str, durables: tuple[str, ...], *, timeout: float
) -> tuple[StreamCondition, list[ConsumerCondition]]:
    """All at once."""
    stream_, *consumers = await asyncio.gather(
        stream_condition(bus, stream, timeout=timeout),
        *[consumer_condition(bus, stream, durable, timeout=timeout) for durable in durables],
    )
    assert isinstance(stream_, StreamCondition)
    return stream_, [each for each in consumers if isinstance(each, ConsumerCondition)]


async def _ask(bus: Bus, subject: str, timeout: float) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(await bus.request(subject, b"", timeout=timeout))
    if (error := reply.get("error")) is not None:
        raise BusError(str(error.get("description", error)))
    return reply


def _cluster(reply: dict[str, Any]) -> tuple[str, tuple[Follower, ...]]:
    cluster = reply.get("cluster") or {}
    followers = [
        Follower(
            str(each.get("name", "")),
            in_sync=bool(each.get("current")) and not each.get("offline"),
            offline=bool(each.get("offline")),
            behind=int(each.get("lag", 0)),
        )
        for each in cluster.get("replicas") or ()
    ]
    return str(cluster.get("leader", "")), tuple(sorted(followers, key=lambda each: each.server))


def _words(error: BusError) -> str:
    if isinstance(error, DeadlineExceeded):
        return "no answer in time: perhaps it has no leader"
    if isinstance(error, NoResponders):
        return "JetStream is not there"
    if isinstance(error, BusUnavailable):
        return "the bus is away"
    return str(error)
