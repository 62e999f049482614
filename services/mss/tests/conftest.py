"""The server on the real parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus

from .house import House, Raw, open_house

_serial = count(1)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def house(tmp_path: Path, nats_url: str, bus: Bus) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data", nats_url, bus) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[House]:
    """For all tests of a module, which are on the module's loop, each with a user of its own."""
    bus = await connect(nats_url, name="test")
    try:
        async with open_house(tmp_path_factory.mktemp("house") / "data", nats_url, bus) as house:
            yield house
    finally:
        await bus.close()


@pytest_asyncio.fixture(loop_scope="module")
async def user(one_house: House) -> str:
    name = f"user{next(_serial)}"
    await one_house.people(name)
    return name


@pytest_asyncio.fixture(loop_scope="module")
async def client(one_house: House, user: str) -> AsyncIterator[Raw]:
    client = await one_house.imap(user)
    yield client
    client.close()
