"""The server is killed, hangs, forgets everything: what callers see, and that they get over it."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import NatsBus, connect
from barid_runtime.bus.port import BusError, BusUnavailable, DeadlineExceeded, Stream

WORK = Stream("WORK", ("work.>",))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def link(server: EmbeddedNats) -> AsyncIterator[NatsBus]:
    link = await connect(server.url, name="under-test")
    yield link
    await link.close()


async def until_connected(*links: NatsBus, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not all(link.connected for link in links):
            await asyncio.sleep(0.005)


async def restart(server: EmbeddedNats) -> None:
    await server.kill()
    await server.start()


async def echo(payload: bytes) -> bytes:
    return payload


async def test_nobody_is_there_to_connect_to() -> None:
    started = time.monotonic()
    with pytest.raises(BusUnavailable, match=r"no bus at nats://127\.0\.0\.1:1"):
        await connect("nats://127.0.0.1:1", timeout=0.3)
    assert time.monotonic() - started < 2


async def test_requests_under_way_fail_the_moment_the_server_dies(server: EmbeddedNats, link: NatsBus) -> None:
    async def never(payload: bytes) -> bytes:
        await asyncio.sleep(60)
        return b""

    other = await connect(server.url)
    serving = await other.serve("never", never, queue="q")
    asked = [asyncio.create_task(link.request("never", b"", timeout=30)) for _ in range(5)]
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await server.kill()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [BusUnavailable] * 5
    assert time.monotonic() - started < 1

    with pytest.raises(BusUnavailable):
        await link.request("never", b"", timeout=30)
    await link.publish("dropped", b"")
    assert not link.connected
    for task in serving._running:
        task.cancel()
    await other.close()


async def test_servers_listeners_and_callbacks_last_over_a_restart(server: EmbeddedNats, link: NatsBus) -> None:
    other = await connect(server.url)
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    reconnected = asyncio.Event()

    async def listener(payload: bytes) -> None:
        heard.put_nowait(payload)

    async def on_reconnect() -> None:
        # Requests work from here: caches are filled again with it.
        assert await link.request("echo", b"again", timeout=5) == b"again"
        reconnected.set()

    await link.serve("echo", echo, queue="q")
    await link.subscribe("event", listener)
    link.on_reconnect(on_reconnect)
    for round in range(3):
        reconnected.clear()
        await restart(server)
        await until_connected(link, other)
        await asyncio.wait_for(reconnected.wait(), 5)
        assert await other.request("echo", b"%d" % round) == b"%d" % round
        await other.publish("event", b"%d" % round)
        assert await asyncio.wait_for(heard.get(), 5) == b"%d" % round
    await other.close()


async def test_nothing_durable_is_lost_or_doubled_over_kills(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    other = await connect(server.url)
    await other.ensure_stream(WORK)
    consumer = await other.consumer("WORK", durable="worker", subject="work.>", ack_wait=1.0)
    total, seen = 300, set[bytes]()

    async def publish() -> None:
        for n in range(total):
            while True:
                try:
                    await link.publish_durable("work.a", b"%d" % n, message_id=f"{n}")
                    break
                except BusError:
                    await asyncio.sleep(0.02)

    async def consume() -> None:
        while len(seen) < total:
            for delivery in await consumer.fetch(20, 0.5):
                seen.add(delivery.payload)
                await delivery.ack()

    async def kill() -> None:
        for _ in range(3):
            await asyncio.sleep(0.15)
            await restart(server)

    await asyncio.wait_for(asyncio.gather(publish(), consume(), kill()), 60)
    assert seen == {b"%d" % n for n in range(total)}
    await other.close()


async def test_a_wiped_server_gets_its_streams_and_consumers_again(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    consumer = await link.consumer("WORK", durable="worker", subject="work.>")
    await link.publish_durable("work.a", b"lost", message_id="1")
    fetching = asyncio.create_task(consumer.fetch(1, 0.01))
    await fetching
    await server.kill()
    shutil.rmtree(server._data / "jetstream")
    await server.start()
    await until_connected(link)

    waiting = asyncio.create_task(consumer.fetch(10, 10))
    await asyncio.sleep(0.05)
    await link.publish_durable("work.a", b"after", message_id="2")
    assert [each.payload for each in await waiting] == [b"after"]


async def test_a_publisher_alone_makes_the_wiped_stream_again(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    await server.kill()
    shutil.rmtree(server._data / "jetstream")
    await server.start()
    await until_connected(link)
    await link.publish_durable("work.a", b"after", message_id="2")
    consumer = await link.consumer("WORK", durable="worker", subject="work.>")
    assert [each.payload for each in await consumer.fetch(10, 2)] == [b"after"]


async def test_a_consumer_deleted_behind_our_back_is_made_again(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    consumer = await link.consumer("WORK", durable="worker", subject="work.>")
    waiting = asyncio.create_task(consumer.fetch(10, 10))
    await asyncio.sleep(0.05)
    await link.request("$JS.API.CONSUMER.DELETE.WORK.worker", b"")
    await link.publish_durable("work.a", b"still", message_id="1")
    assert [each.payload for each in await asyncio.wait_for(waiting, 5)] == [b"still"]


async def test_a_fetch_waits_out_an_outage(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    consumer = await link.consumer("WORK", durable="worker", subject="work.>")
    waiting = asyncio.create_task(consumer.fetch(10, 15))
    await asyncio.sleep(0.05)
    await restart(server)
    await until_connected(link)
    await link.publish_durable("work.a", b"x", message_id="1")
    assert [each.payload for each in await waiting] == [b"x"]

    await server.kill()
    started = time.monotonic()
    assert await consumer.fetch(10, 0.3) == []
    assert 0.25 < time.monotonic() - started < 1


async def test_what_was_fetched_before_a_kill_comes_again(server: EmbeddedNats, link: NatsBus) -> None:
    await link.ensure_stream(WORK)
    consumer = await link.consumer("WORK", durable="worker", subject="work.>", ack_wait=0.5)
    await link.publish_durable("work.a", b"x", message_id="1")
    (delivery,) = await consumer.fetch(1, 2)
    await server.kill()
    await delivery.ack()
    await server.start()
    await until_connected(link)
    (again,) = await consumer.fetch(1, 5)
    assert again.payload == b"x"
    await again.ack()


def freeze(server: EmbeddedNats) -> None:
    """Returns when all of its threads stand still: the signal alone only says that they shall, and until the thread
    that takes it gets a core the others go on answering."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)


async def test_a_frozen_server_is_a_deadline_not_a_hang(server: EmbeddedNats, link: NatsBus) -> None:
    await link.serve("echo", echo, queue="q")
    freeze(server)
    try:
        # A hang is what the guard is for; how soon after 0.2 s a loaded machine wakes us is not the bus's doing.
        async with asyncio.timeout(10):
            with pytest.raises(DeadlineExceeded):
                await link.request("echo", b"", timeout=0.2)
    finally:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGCONT)
    assert await link.request("echo", b"thawed", timeout=10) == b"thawed"


async def test_a_flush_that_was_given_up_makes_nobody_deaf(server: EmbeddedNats, link: NatsBus) -> None:
    """Its PONG comes when the server wakes: more PONGs than are waited for."""
    await link.serve("echo", echo, queue="echo")
    freeze(server)
    for _ in range(3):
        flush = asyncio.create_task(link._connection.client.flush())  # type: ignore[union-attr]
        await asyncio.sleep(0.05)
        flush.cancel()
    os.kill(server.pid or 0, signal.SIGCONT)
    assert await link.request("echo", b"still here", timeout=5) == b"still here"
    await link.flush()
    assert await link.request("echo", b"and now", timeout=5) == b"and now"


async def test_closed_while_the_server_is_away(server: EmbeddedNats) -> None:
    link = await connect(server.url)
    await link.serve("echo", echo, queue="q")
    await link.ensure_stream(WORK)
    await link.consumer("WORK", durable="worker", subject="work.>")
    await server.kill()
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await link.close()
    assert time.monotonic() - started < 2
    with pytest.raises(BusUnavailable):
        await link.request("echo", b"")


async def test_a_connection_that_the_server_ends_with_an_error_is_opened_again(
    server: EmbeddedNats, link: NatsBus
) -> None:
    await link.serve("echo", echo, queue="q")
    other = await connect(server.url)
    # What nats-py takes as final: -ERR and the end.
    await link._connection.client._process_err("'unknown protocol operation'")
    async with asyncio.timeout(10):
        while True:
            try:
                assert await other.request("echo", b"back", timeout=0.2) == b"back"
                break
            except BusError:
                await asyncio.sleep(0.02)
    assert link.connected
    await other.close()
