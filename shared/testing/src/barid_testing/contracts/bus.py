"""The duties of a bus (`barid_runtime.bus.port`).

A subclass gives the fixtures `bus` (a connected Bus) and `other_bus` (a second connection to the same).
Subjects here begin with `contract.`; durable ones with `contract.work.`.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from barid_runtime import tracing
from barid_runtime.bus.port import (
    Answer,
    Bus,
    BusError,
    BusUnavailable,
    Consumer,
    DeadlineExceeded,
    Delivery,
    NoResponders,
    OperationFailed,
    Stream,
)

WORK = Stream("CONTRACT", ("contract.work.>",))


async def fetch_all(consumer: Consumer, count: int, within: float = 5.0) -> list[Delivery]:
    """Fetch until there are `count`."""
    got: list[Delivery] = []
    until = time.monotonic() + within
    while len(got) < count and time.monotonic() < until:
        got += await consumer.fetch(count - len(got), 0.5)
    return got


class RequestContract:
    """Requests and replies."""

    async def test_a_request_is_answered(self, bus: Bus, other_bus: Bus) -> None:
        async def double(payload: bytes) -> bytes:
            return payload * 2

        await other_bus.serve("contract.double", double, queue="q")
        assert await bus.request("contract.double", b"ab") == b"abab"

    async def test_nobody_serves(self, bus: Bus) -> None:
        started = time.monotonic()
        with pytest.raises(NoResponders):
            await bus.request("contract.nobody", b"")
        assert time.monotonic() - started < 1

    async def test_no_answer_in_time(self, bus: Bus, other_bus: Bus) -> None:
        async def slow(payload: bytes) -> bytes:
            await asyncio.sleep(0.3)
            return b"late"

        await other_bus.serve("contract.slow", slow, queue="q")
        with pytest.raises(DeadlineExceeded):
            await bus.request("contract.slow", b"", timeout=0.05)
        # The late answer belongs to nobody and must not reach the next request.
        assert await bus.request("contract.slow", b"", timeout=2) == b"late"

    async def test_a_refusal_keeps_its_code_and_text(self, bus: Bus, other_bus: Bus) -> None:
        async def refuse(payload: bytes) -> bytes:
            raise OperationFailed("not_found", "no such müsli")

        await other_bus.serve("contract.refuse", refuse, queue="q")
        with pytest.raises(OperationFailed) as caught:
            await bus.request("contract.refuse", b"")
        assert (caught.value.code, caught.value.text) == ("not_found", "no such müsli")

    async def test_a_bug_is_answered_without_its_text(self, bus: Bus, other_bus: Bus) -> None:
        async def buggy(payload: bytes) -> bytes:
            raise RuntimeError("the password is swordfish")

        await other_bus.serve("contract.buggy", buggy, queue="q")
        with pytest.raises(OperationFailed) as caught:
            await bus.request("contract.buggy", b"")
        assert (caught.value.code, caught.value.text) == ("internal", "")

    async def test_many_at_a_time(self, bus: Bus, other_bus: Bus) -> None:
        async def wait_a_bit(payload: bytes) -> bytes:
            await asyncio.sleep(0.05)
            return payload

        await other_bus.serve("contract.many", wait_a_bit, queue="q")
        started = time.monotonic()
        replies = await asyncio.gather(*[bus.request("contract.many", b"%d" % n) for n in range(200)])
        assert replies == [b"%d" % n for n in range(200)]
        assert time.monotonic() - started < 2

    async def test_no_more_at_a_time_than_asked_for(self, bus: Bus, other_bus: Bus) -> None:
        running = most = 0

        async def count(payload: bytes) -> bytes:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return b""

        await other_bus.serve("contract.bounded", count, queue="q", concurrency=3)
        await asyncio.gather(*[bus.request("contract.bounded", b"") for _ in range(20)])
        assert most == 3

    async def test_one_of_a_queue_answers(self, bus: Bus, other_bus: Bus) -> None:
        served: list[str] = []

        async def first(payload: bytes) -> bytes:
            served.append("first")
            return b""

        async def second(payload: bytes) -> bytes:
            served.append("second")
            return b""

        await bus.serve("contract.queue", first, queue="q")
        await other_bus.serve("contract.queue", second, queue="q")
        await asyncio.gather(*[bus.request("contract.queue", b"") for _ in range(60)])
        assert len(served) == 60
        assert set(served) == {"first", "second"}

    async def test_everybody_is_asked_and_all_who_answer_in_time_are_heard(self, bus: Bus, other_bus: Bus) -> None:
        def saying(word: bytes, *, after: float = 0.0) -> Answer:
            async def answer(payload: bytes) -> bytes:
                await asyncio.sleep(after)
                return payload + word

            return answer

        async def refuse(payload: bytes) -> bytes:
            raise OperationFailed("unavailable", "not I")

        await bus.serve("contract.roll", saying(b" one"), queue="")
        await other_bus.serve("contract.roll", saying(b" two"), queue="")
        await other_bus.serve("contract.roll", saying(b" late", after=2), queue="")
        await other_bus.serve("contract.roll", refuse, queue="")
        assert sorted(await bus.gather("contract.roll", b"here:", timeout=0.5)) == [b"here: one", b"here: two"]

    async def test_nobody_to_gather_from_is_known_at_once(self, bus: Bus) -> None:
        started = time.monotonic()
        assert await bus.gather("contract.nobody", b"", timeout=10) == []
        assert time.monotonic() - started < 2

    async def test_drain_finishes_what_was_begun(self, bus: Bus, other_bus: Bus) -> None:
        begun = asyncio.Event()

        async def slow(payload: bytes) -> bytes:
            begun.set()
            await asyncio.sleep(0.2)
            return b"done"

        serving = await other_bus.serve("contract.drain", slow, queue="q")
        asked = asyncio.create_task(bus.request("contract.drain", b""))
        await begun.wait()
        await serving.drain()
        assert await asked == b"done"
        with pytest.raises(NoResponders):
            await bus.request("contract.drain", b"")

    async def test_a_megabyte_there_and_back(self, bus: Bus, other_bus: Bus) -> None:
        async def echo(payload: bytes) -> bytes:
            return payload

        await other_bus.serve("contract.large", echo, queue="q")
        large = b"x" * 1_000_000
        assert await bus.request("contract.large", large) == large

    async def test_too_large_is_an_error_and_nothing_else_breaks(self, bus: Bus, other_bus: Bus) -> None:
        async def blow_up(payload: bytes) -> bytes:
            return b"x" * 64_000_000 if payload else b"fine"

        await other_bus.serve("contract.blowup", blow_up, queue="q")
        with pytest.raises(BusError):
            await bus.request("contract.blowup", b"x" * 64_000_000)
        with pytest.raises(OperationFailed) as caught:
            await bus.request("contract.blowup", b"y")
        assert caught.value.code == "internal"
        assert await bus.request("contract.blowup", b"") == b"fine"

    async def test_a_handler_may_ask_in_turn(self, bus: Bus, other_bus: Bus) -> None:
        async def inner(payload: bytes) -> bytes:
            return payload + b" inner"

        async def outer(payload: bytes) -> bytes:
            return await bus.request("contract.inner", payload + b" outer")

        await bus.serve("contract.inner", inner, queue="q", concurrency=1)
        await bus.serve("contract.outer", outer, queue="q", concurrency=1)
        replies = await asyncio.gather(*[other_bus.request("contract.outer", b"%d" % n) for n in range(10)])
        assert replies == [b"%d outer inner" % n for n in range(10)]

    @pytest.mark.parametrize(
        "payload", [b"", b"\0", b"\r\n", b"a\r\nMSG x 1 5\r\nhello\r\nPING\r\n", bytes(range(256))]
    )
    async def test_any_bytes_pass(self, bus: Bus, other_bus: Bus, payload: bytes) -> None:
        async def echo(payload: bytes) -> bytes:
            return payload

        await other_bus.serve("contract.bytes", echo, queue="q")
        assert await bus.request("contract.bytes", payload) == payload

    async def test_after_close_nothing_is_asked_and_nothing_said(self, bus: Bus, other_bus: Bus) -> None:
        async def echo(payload: bytes) -> bytes:
            return payload

        await other_bus.serve("contract.closed", echo, queue="q")
        await other_bus.close()
        await other_bus.close()
        assert not other_bus.connected
        assert bus.connected
        with pytest.raises(BusUnavailable):
            await other_bus.request("contract.closed", b"")
        with pytest.raises(BusUnavailable):
            await other_bus.publish_durable("contract.work.a", b"", message_id="1")
        await other_bus.publish("contract.closed", b"")
        with pytest.raises(NoResponders):
            await bus.request("contract.closed", b"")


class EventContract:
    """Events."""

    async def test_events_come_in_order_one_at_a_time(self, bus: Bus, other_bus: Bus) -> None:
        heard: list[bytes] = []
        done = asyncio.Event()

        async def listener(payload: bytes) -> None:
            heard.append(payload)
            await asyncio.sleep(0)
            if len(heard) == 100:
                done.set()

        await bus.subscribe("contract.event.*", listener)
        for n in range(100):
            await other_bus.publish(f"contract.event.{n % 3}", b"%d" % n)
        await asyncio.wait_for(done.wait(), 5)
        assert heard == [b"%d" % n for n in range(100)]

    async def test_a_listener_that_raises_hears_the_next(self, bus: Bus, other_bus: Bus) -> None:
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def listener(payload: bytes) -> None:
            if payload == b"bad":
                raise RuntimeError("bad event")
            heard.put_nowait(payload)

        await bus.subscribe("contract.raises", listener)
        await other_bus.publish("contract.raises", b"bad")
        await other_bus.publish("contract.raises", b"good")
        assert await asyncio.wait_for(heard.get(), 5) == b"good"

    async def test_nobody_listens(self, bus: Bus) -> None:
        await bus.publish("contract.unheard", b"")

    async def test_after_drain_nothing_is_heard(self, bus: Bus, other_bus: Bus) -> None:
        heard: list[bytes] = []

        async def listener(payload: bytes) -> None:
            heard.append(payload)

        subscription = await bus.subscribe("contract.drained", listener)
        await subscription.drain()
        await other_bus.publish("contract.drained", b"")
        await asyncio.sleep(0.05)
        assert heard == []


class DurableContract:
    """Durable work. `stream` may ask for more replicas."""

    stream = WORK

    @pytest_asyncio.fixture
    async def work(self, bus: Bus) -> AsyncIterator[Consumer]:
        await bus.ensure_stream(self.stream)
        yield await bus.consumer("CONTRACT", durable="worker", subject="contract.work.a", ack_wait=0.5)

    async def test_ensure_is_idempotent(self, bus: Bus, other_bus: Bus) -> None:
        await bus.ensure_stream(self.stream)
        await bus.publish_durable("contract.work.a", b"1", message_id="1")
        await other_bus.ensure_stream(self.stream)
        consumer = await bus.consumer("CONTRACT", durable="worker", subject="contract.work.a")
        assert await consumer.pending() == 1

    async def test_work_is_done_once(self, bus: Bus, work: Consumer) -> None:
        for n in range(10):
            await bus.publish_durable("contract.work.a", b"%d" % n, message_id=f"{n}")
        got = await fetch_all(work, 10)
        assert [each.payload for each in got] == [b"%d" % n for n in range(10)]
        assert [each.attempt for each in got] == [1] * 10
        for each in got:
            await each.ack()
        assert await work.fetch(10, 0.8) == []
        assert await work.pending() == 0

    async def test_a_fetch_gives_no_more_than_was_asked_for(self, bus: Bus, work: Consumer) -> None:
        for n in range(10):
            await bus.publish_durable("contract.work.a", b"%d" % n, message_id=f"{n}")
        got: list[Delivery] = []
        for limit in (1, 3, 2, 100):
            some = await work.fetch(limit, 2)
            assert 0 < len(some) <= limit
            got += some
        got += await fetch_all(work, 10 - len(got))
        assert [each.payload for each in got] == [b"%d" % n for n in range(10)]
        # What is in somebody's hands is still to be done.
        assert await work.pending() == 10
        for each in got:
            await each.ack()
        assert await work.fetch(1, 0.8) == []
        assert await work.pending() == 0

    async def test_what_a_closed_connection_held_is_anothers_work(
        self, bus: Bus, other_bus: Bus, work: Consumer
    ) -> None:
        leaving = await other_bus.consumer("CONTRACT", durable="worker", subject="contract.work.a", ack_wait=0.5)
        for n in range(10):
            await bus.publish_durable("contract.work.a", b"%d" % n, message_id=f"{n}")
        taken = await leaving.fetch(3, 2)
        assert taken
        await other_bus.close()
        got = await fetch_all(work, 10)
        assert sorted(each.payload for each in got) == [b"%d" % n for n in range(10)]
        for each in got:
            await each.ack()

    async def test_a_large_batch_is_taken_whole(self, bus: Bus, work: Consumer) -> None:
        large = bytes(range(256)) * 4000
        await bus.publish_durable("contract.work.a", large, message_id="1")
        (each,) = await work.fetch(1, 5)
        assert each.payload == large
        await each.ack()

    async def test_there_is_no_consumer_without_its_stream(self, bus: Bus) -> None:
        with pytest.raises(BusError):
            await bus.consumer("NOBODYS", durable="worker", subject="nobodys.work")

    async def test_the_same_id_is_taken_once(self, bus: Bus, work: Consumer) -> None:
        await bus.publish_durable("contract.work.a", b"x", message_id="same")
        await bus.publish_durable("contract.work.a", b"x", message_id="same")
        assert await work.pending() == 1

    async def test_a_waiting_fetch_gets_it_at_once(self, bus: Bus, other_bus: Bus, work: Consumer) -> None:
        waits = []
        for n in range(20):
            fetching = asyncio.create_task(work.fetch(100, 5))
            await asyncio.sleep(0.02)
            started = time.perf_counter()
            await other_bus.publish_durable("contract.work.a", b"", message_id=f"{n}")
            (each,) = await fetching
            waits.append(time.perf_counter() - started)
            await each.ack()
        assert sorted(waits)[10] < 0.02

    async def test_empty_after_the_wait(self, work: Consumer) -> None:
        started = time.monotonic()
        assert await work.fetch(10, 0.2) == []
        assert 0.15 < time.monotonic() - started < 1

    async def test_what_is_not_acknowledged_comes_again_and_again(self, bus: Bus, work: Consumer) -> None:
        await bus.publish_durable("contract.work.a", b"x", message_id="1")
        attempts = [each.attempt for _ in range(3) for each in await work.fetch(1, 3)]
        assert attempts == [1, 2, 3]

    async def test_nak_brings_it_back_after_the_delay(self, bus: Bus, work: Consumer) -> None:
        await bus.publish_durable("contract.work.a", b"x", message_id="1")
        (each,) = await work.fetch(1, 2)
        await each.nak()
        (again,) = await work.fetch(1, 0.3)
        assert again.attempt == 2
        started = time.monotonic()
        await again.nak(0.2)
        (third,) = await work.fetch(1, 3)
        assert third.attempt == 3
        assert time.monotonic() - started > 0.15
        await third.ack()

    async def test_a_heartbeat_keeps_it_ours(self, bus: Bus, other_bus: Bus, work: Consumer) -> None:
        await bus.publish_durable("contract.work.a", b"x", message_id="1")
        (each,) = await work.fetch(1, 2)
        other = await other_bus.consumer("CONTRACT", durable="worker", subject="contract.work.a", ack_wait=0.5)
        for _ in range(5):
            assert await other.fetch(1, 0.25) == []
            await each.in_progress()
        await each.ack()
        assert await other.fetch(1, 0.8) == []

    async def test_two_connections_share_the_work(self, bus: Bus, other_bus: Bus, work: Consumer) -> None:
        other = await other_bus.consumer("CONTRACT", durable="worker", subject="contract.work.a", ack_wait=0.5)
        done: dict[str, list[bytes]] = {"one": [], "other": []}

        async def worker(name: str, consumer: Consumer) -> None:
            while sum(map(len, done.values())) < 200:
                for each in await consumer.fetch(5, 0.2):
                    done[name].append(each.payload)
                    await each.ack()
                    await asyncio.sleep(0.001)

        workers = [asyncio.create_task(worker("one", work)), asyncio.create_task(worker("other", other))]
        for n in range(200):
            await bus.publish_durable("contract.work.a", b"%d" % n, message_id=f"{n}")
        await asyncio.wait_for(asyncio.gather(*workers), 20)
        assert sorted(done["one"] + done["other"], key=int) == [b"%d" % n for n in range(200)]
        assert all(done.values())

    async def test_subjects_of_one_stream_have_their_own_consumers(self, bus: Bus, work: Consumer) -> None:
        other = await bus.consumer("CONTRACT", durable="other", subject="contract.work.b", ack_wait=0.5)
        await bus.publish_durable("contract.work.b", b"b", message_id="1")
        await bus.publish_durable("contract.work.a", b"a", message_id="2")
        assert [each.payload for each in await other.fetch(5, 2)] == [b"b"]
        assert [each.payload for each in await work.fetch(5, 2)] == [b"a"]

    async def test_no_stream_takes_it(self, bus: Bus) -> None:
        with pytest.raises(BusError):
            await bus.publish_durable("contract.unmade.a", b"", message_id="1")


class TracingContract:
    """What caused a message goes with it, where traces are made."""

    @pytest.fixture
    def traced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracing, "door", object())

    async def test_a_request_and_an_event_find_it_and_the_next_one_does_not(
        self, bus: Bus, other_bus: Bus, traced: None
    ) -> None:
        heard: list[str] = []

        async def hear(payload: bytes) -> bytes:
            heard.append(tracing.incoming.get())
            return b""

        async def listen(payload: bytes) -> None:
            heard.append(tracing.incoming.get())

        await other_bus.serve("contract.caused", hear, queue="q")
        await other_bus.subscribe("contract.caused.event", listen)
        for traces in ("00-a-b-01,00-c-d-01", ""):
            await bus.request("contract.caused", b"", traces=traces)
        for traces in ("00-e-f-01", ""):
            await bus.publish("contract.caused.event", b"", traces=traces)
        async with asyncio.timeout(5):
            while len(heard) < 4:
                await asyncio.sleep(0.01)
        assert heard == ["00-a-b-01,00-c-d-01", "", "00-e-f-01", ""]

    async def test_work_brings_it_along(self, bus: Bus, traced: None) -> None:
        await bus.ensure_stream(WORK)
        consumer = await bus.consumer(WORK.name, durable="caused", subject="contract.work.caused")
        await bus.publish_durable("contract.work.caused", b"1", message_id="caused 1", traces="00-a-b-01")
        await bus.publish_durable("contract.work.caused", b"2", message_id="caused 2")
        found = await fetch_all(consumer, 2)
        assert [(each.payload, each.traces) for each in found] == [(b"1", "00-a-b-01"), (b"2", "")]
        for each in found:
            await each.ack()

    async def test_who_makes_no_traces_is_told_of_none(self, bus: Bus, other_bus: Bus) -> None:
        heard: list[str] = []

        async def hear(payload: bytes) -> bytes:
            heard.append(tracing.incoming.get())
            return b""

        await other_bus.serve("contract.untraced", hear, queue="q")
        await bus.request("contract.untraced", b"", traces="00-a-b-01")
        assert heard == [""]


class BusContract(RequestContract, EventContract, DurableContract, TracingContract):
    """All of it."""
