from barid_runtime.bus.nats import NatsBus
from barid_runtime.bus.port import Stream


async def test_work_walks(bus: NatsBus, database, manual_clock) -> None:
    await bus.ensure_stream(Stream("WORK", ("work.>",)))
    consumer = await bus.consumer("WORK", durable="worker", subject="work.>")
    await bus.publish_durable("work.a", b"do", message_id="1")
    (delivery,) = await consumer.fetch(10, 2)
    assert delivery.payload == b"do"
    await delivery.ack()
    db = database()
    await db.write(lambda c: c.execute("create table t(a)"))
