"""Three nats-servers that keep each stream together do what every bus must, over TLS."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from barid_runtime.bus.nats import NatsBus, connect
from barid_runtime.bus.port import BusUnavailable, NoResponders
from barid_testing.bus_fixtures import BusCluster
from barid_testing.contracts.bus import WORK, BusContract
from barid_testing.fixtures import delete_streams


async def test_a_request_crosses_from_server_to_server(bus_cluster: BusCluster) -> None:
    links = [await connect(bus_cluster.access("barid", server=number)) for number in range(3)]

    async def echo(payload: bytes) -> bytes:
        return payload

    await links[0].serve("contract.far", echo, queue="q")
    for link in links[1:]:
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await link.request("contract.far", b"x") == b"x"
                    break
                except NoResponders:
                    await asyncio.sleep(0.01)
    for link in links:
        await link.close()


class TestNatsCluster(BusContract):
    @pytest.fixture
    async def bus(self, bus_cluster: BusCluster) -> AsyncIterator[NatsBus]:
        connection = await connect(bus_cluster.access("barid", server=0), name="test")
        yield connection
        await delete_streams(connection)
        await connection.close()

    @pytest.fixture
    async def other_bus(self, bus_cluster: BusCluster) -> AsyncIterator[NatsBus]:
        # At the same server: another hears of what is served here some moments later, and says till then that nobody
        # is there. Leaders of streams are anywhere.
        connection = await connect(bus_cluster.access("barid", server=0), name="other")
        yield connection
        await connection.close()

    async def test_stream_and_consumer_are_kept_by_all_three(self, bus: NatsBus) -> None:
        await bus.ensure_stream(WORK)
        await bus.consumer(WORK.name, durable="worker", subject="contract.work.a")
        for what in (f"STREAM.INFO.{WORK.name}", f"CONSUMER.INFO.{WORK.name}.worker"):
            found = json.loads(await bus.request(f"$JS.API.{what}", b""))["cluster"]
            assert {found["leader"], *(each["name"] for each in found["replicas"])} == {"barid-1", "barid-2", "barid-3"}

    async def test_who_was_told_of_fewer_servers_does_not_thin_it_out(
        self, bus: NatsBus, bus_cluster: BusCluster
    ) -> None:
        await bus.ensure_stream(WORK)
        late = await connect(bus_cluster.access("barid", replicas=1))
        await late.ensure_stream(WORK)
        found = json.loads(await bus.request(f"$JS.API.STREAM.INFO.{WORK.name}", b""))
        assert found["config"]["num_replicas"] == 3
        await late.close()

    async def test_a_stream_of_one_server_grows_to_three(self, bus: NatsBus, bus_cluster: BusCluster) -> None:
        early = await connect(bus_cluster.access("barid", replicas=1))
        await early.ensure_stream(WORK)
        await early.publish_durable("contract.work.a", b"kept", message_id="1")
        await bus.ensure_stream(WORK)
        found = json.loads(await bus.request(f"$JS.API.STREAM.INFO.{WORK.name}", b""))
        assert found["config"]["num_replicas"] == 3
        async with asyncio.timeout(10):
            while True:
                try:
                    consumer = await bus.consumer(WORK.name, durable="worker", subject="contract.work.a")
                    break
                except BusUnavailable:  # until the two others have caught up
                    await asyncio.sleep(0.05)
        (delivery,) = await consumer.fetch(1, 5)
        assert delivery.payload == b"kept"
        await early.close()
