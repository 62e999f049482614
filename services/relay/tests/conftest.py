"""The relay on the real parts: bus, SQLite or PostgreSQL, journal, sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from barid_contracts import directory
from barid_relay.adapters.doors import MIGRATIONS
from barid_relay.handlers.service import Relay
from barid_relay.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import answer
from barid_runtime.database import postgres_migrations
from barid_runtime.database.door import Place
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_testing.fixtures import ManualClock

from .office import Office, new_relay, resolve

StartRelay = Callable[..., Awaitable[Relay]]


@pytest.fixture(scope="session")
def shared_place(postgres_server: EmbeddedPostgres) -> Place:
    """A schema of a real PostgreSQL; made once, as that takes most of a second."""
    place = Place(Path("none"), postgres_server.url(), "relay_tests")
    asyncio.run(postgres_migrations.migrate(place.url, place.schema, MIGRATIONS))
    return place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the tables stand: each test once in a new file, once in an empty schema."""
    if request.param == "sqlite":
        yield Place(tmp_path / "data" / "relay.db")
        return
    shared: Place = request.getfixturevalue("shared_place")
    asyncio.run(_empty(shared))
    yield shared


async def _empty(place: Place) -> None:
    admin = await asyncpg.connect(place.url, server_settings={"search_path": place.schema})
    tables = "mail, recipient, ledger, attempt, captured, outbox, replica, restored"
    await admin.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    await admin.close()


@pytest.fixture
def settings(tmp_path: Path, nats_url: str, place: Place) -> Settings:
    return Settings(
        data=tmp_path / "data",
        bus_url=nats_url,
        hostname="relay.here.test",
        drain_seconds=5.0,
        database_url=SecretStr(place.url),
        database_schema=place.schema,
        lease_seconds=2.0 if place.url else 120.0,  # who dies in a shared database is waited for
    )


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
