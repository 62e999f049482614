"""What operators see of a stream and its consumer: also that there is none."""

import pytest

from barid_runtime.bus import watching
from barid_runtime.bus.nats import NatsBus
from barid_runtime.bus.port import Stream
from barid_runtime.bus.watching import Watching
from barid_runtime.metrics import exposition

WORK = Stream("CONTRACT", ("contract.work.>",))


def told(name: str) -> float:
    """The value of the consumer's sample."""
    start = f'barid_bus_{name}{{consumer="w"}} '
    (line,) = [line for line in exposition().decode().splitlines() if line.startswith(start)]
    return float(line.removeprefix(start))


async def test_a_consumers_lag_is_counted(bus: NatsBus) -> None:
    await bus.ensure_stream(WORK)
    consumer = await bus.consumer(WORK.name, durable="w", subject="contract.work.a")
    for number in range(5):
        await bus.publish_durable("contract.work.a", b"x", message_id=f"watched {number}")
    look = Watching(bus, WORK.name, "w").look
    await look()
    assert (told("stream_leader"), told("stream_followers_behind")) == (1, 0)
    assert (told("consumer_waiting"), told("consumer_in_hand")) == (5, 0)
    (delivery,) = await consumer.fetch(1, 1)
    await delivery.nak()
    again = delivery
    while again.attempt == 1:  # others may come before it
        (again,) = await consumer.fetch(1, 2)
    await look()
    assert told("consumer_in_hand") + told("consumer_waiting") == 5
    assert told("consumer_in_hand") >= 1
    assert told("consumer_redelivered") == 1
    await again.ack()


async def test_a_stream_that_nobody_answers_for_has_no_leader(bus: NatsBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.5)
    await Watching(bus, "NO_SUCH", "w").look()
    assert told("stream_leader") == 0
