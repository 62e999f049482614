"""The relay on the real parts: bus, SQLite, journal, sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts import directory
from barid_relay.handlers.service import Relay
from barid_relay.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import answer
from barid_testing.fixtures import ManualClock

from .office import Office, new_relay, resolve

StartRelay = Callable[..., Awaitable[Relay]]


@pytest.fixture
def settings(tmp_path: Path, nats_url: str) -> Settings:
    return Settings(data=tmp_path / "data", bus_url=nats_url, hostname="relay.here.test", drain_seconds=5.0)


@pytest_asyncio.fixture
async def people(bus: Bus) -> AsyncIterator[None]:
    serving = await answer(bus, directory.RESOLVE, resolve, queue="directory")
    yield
    await serving.drain()


@pytest_asyncio.fixture
async def office(bus: Bus, settings: Settings, people: None) -> AsyncIterator[Office]:
    office = Office(bus, settings)
    await office.open()
    yield office
    await office.close()


@pytest_asyncio.fixture
async def timeless(bus: Bus, settings: Settings, people: None, manual_clock: ManualClock) -> AsyncIterator[Office]:
    """An office whose time stands still until the test moves it."""
    office = Office(bus, settings, manual_clock)
    await office.open()
    yield office
    await office.close()


@pytest_asyncio.fixture
async def start(settings: Settings) -> AsyncIterator[StartRelay]:
    """Starts a relay with some settings changed; all are drained after the test."""
    started: list[Relay] = []

    async def start(clock: Any = None, timeouts: Any = None, **changes: Any) -> Relay:
        relay = new_relay(settings.model_copy(update=changes), clock, timeouts)
        started.append(relay)
        await relay.start()
        return relay

    yield start
    for relay in started:
        await relay.drain()
