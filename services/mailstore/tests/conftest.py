"""The mailstore on the real parts."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts import directory, settle
from barid_mailstore.handlers.reconciler import Reconciler
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import answer
from barid_runtime.database.door import Place
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_testing.fixtures import ManualClock

from .databases import SCHEMA, a_database, a_template
from .desk import Desk, People, a_clock, new_mailstore
from .journals import Relay


@pytest.fixture(scope="session")
def template(postgres_server: EmbeddedPostgres) -> str:
    """A database with our tables, empty: a copy of it takes milliseconds, migrations of each test half a second."""
    return asyncio.run(a_template(postgres_server))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the tables stand: each test once in a new file, once in a new database of a real PostgreSQL."""
    if request.param == "sqlite":
        yield Place(tmp_path / "data" / "mailstore.db")
        return
    yield request.getfixturevalue("postgres_place")


@pytest.fixture
def postgres_place(postgres_server: EmbeddedPostgres, template: str, tmp_path: Path) -> Iterator[Place]:
    with a_database(postgres_server, template) as url:
        yield Place(tmp_path / "none.db", url, SCHEMA)


@pytest.fixture
def settings(tmp_path: Path, nats_url: str, place: Place) -> Settings:
    """Each test that asks for it runs on a file of SQLite, and in a schema of a real PostgreSQL."""
    return Settings(
        data=tmp_path / "data",
        bus_url=nats_url,
        database_url=place.url,
        database_schema=place.schema,
        reconcile_seconds=3600,
        reconcile_grace=0,
        reconcile_grace_at_start=3600,
        delete_grace=0,
    )


@pytest.fixture
def clock() -> ManualClock:
    """The mailstore's."""
    return a_clock()


@pytest_asyncio.fixture
async def people(bus: Bus) -> AsyncIterator[People]:
    people = People()
    serving = [
        await answer(bus, directory.ACCOUNT_GET, people.get, queue="directory"),
        await answer(bus, directory.RESOLVE, people.resolve, queue="directory"),
    ]
    yield people
    for each in serving:
        await each.drain()


@pytest_asyncio.fixture
async def mailstore(settings: Settings, people: People, clock: ManualClock) -> AsyncIterator[Mailstore]:
    """Started; a test may drain it and start another on the same data. It forgets when a test says so."""
    service = new_mailstore(settings, clock)
    await service.start()
    assert service.retention is not None
    await service.retention.close()
    yield service
    await service.drain()


@pytest.fixture
def desk(bus: Bus, mailstore: Mailstore) -> Desk:
    return Desk(bus)


@pytest_asyncio.fixture
async def relay(bus: Bus) -> AsyncIterator[Relay]:
    relay = Relay()
    serving = [
        await answer(bus, settle.RELAY_MISSING, relay.missing, queue="relay"),
        await answer(bus, settle.RELAY_REFERENCES, relay.references, queue="relay"),
    ]
    yield relay
    for each in serving:
        await each.drain()


@pytest.fixture
def root(settings: Settings) -> Path:
    return settings.data / "journal"


@pytest.fixture
def reconciler(mailstore: Mailstore) -> Reconciler:
    assert mailstore.reconciler is not None
    mailstore.reconciler.suspicious_grace = 0.0
    mailstore.reconciler.collect_every = 1
    return mailstore.reconciler
