"""NATS does what every bus must."""

from collections.abc import AsyncIterator

import pytest

from barid_runtime.bus.nats import NatsBus, connect
from barid_testing.contracts.bus import BusContract


class TestNatsBus(BusContract):
    @pytest.fixture
    async def other_bus(self, nats_url: str) -> AsyncIterator[NatsBus]:
        connection = await connect(nats_url, name="other")
        yield connection
        await connection.close()
