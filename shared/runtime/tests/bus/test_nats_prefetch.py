"""What the server sent before anybody fetched it: handed out at once, fresh or not at all."""

import asyncio
import time

from barid_runtime.bus.nats import NatsBus
from barid_runtime.bus.port import Consumer, Stream

WORK = Stream("PREFETCH", ("prefetch.>",))
ACK_WAIT = 1.0


async def with_kept(bus: NatsBus) -> Consumer:
    """A consumer that was sent `kept` while nobody fetched."""
    await bus.ensure_stream(WORK)
    consumer = await bus.consumer("PREFETCH", durable="worker", subject="prefetch.>", ack_wait=ACK_WAIT)
    await bus.publish_durable("prefetch.a", b"first", message_id="1")
    (first,) = await consumer.fetch(10, 5)
    await first.ack()
    await bus.publish_durable("prefetch.a", b"kept", message_id="2")
    return consumer


async def test_it_needs_no_round_trip(bus: NatsBus) -> None:
    consumer = await with_kept(bus)
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    (kept,) = await consumer.fetch(10, 5)
    assert time.perf_counter() - started < 0.005
    assert kept.payload == b"kept"
    await kept.ack()


async def test_its_ack_wait_begins_when_it_is_handed_out(bus: NatsBus) -> None:
    consumer = await with_kept(bus)
    await asyncio.sleep(ACK_WAIT * 0.6)
    (kept,) = await consumer.fetch(10, 5)
    assert kept.attempt == 1
    assert await consumer.fetch(10, ACK_WAIT * 0.6) == []
    await kept.ack()
    assert await consumer.fetch(10, ACK_WAIT) == []
    assert await consumer.pending() == 0


async def test_too_old_it_is_left_to_its_redelivery(bus: NatsBus) -> None:
    consumer = await with_kept(bus)
    await asyncio.sleep(ACK_WAIT * 0.9)
    (again,) = await consumer.fetch(10, 5)
    assert (again.payload, again.attempt) == (b"kept", 2)
    await again.ack()
    assert await consumer.fetch(10, ACK_WAIT * 1.2) == []


async def test_released_it_goes_to_another_at_once(bus: NatsBus, nats_url: str) -> None:
    from barid_runtime.bus.nats import connect

    leaving = await connect(nats_url)
    await with_kept(leaving)
    await asyncio.sleep(0.05)
    await leaving.close()
    consumer = await bus.consumer("PREFETCH", durable="worker", subject="prefetch.>", ack_wait=ACK_WAIT)
    started = time.monotonic()
    (kept,) = await consumer.fetch(10, 5)
    assert time.monotonic() - started < ACK_WAIT * 0.8
    assert kept.payload == b"kept"
    await kept.ack()
