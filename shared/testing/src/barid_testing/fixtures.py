"""Fixtures on the real parts: a nats-server, a bus, databases, and a clock that tests move."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from barid_runtime.bus.nats import NatsBus
    from barid_runtime.database.door import Place
    from barid_runtime.database.embedded import EmbeddedPostgres
    from barid_runtime.database.postgres import PostgresDatabase
    from barid_runtime.database.sqlite import SqliteDatabase
    from barid_runtime.objects.embedded import EmbeddedS3
    from barid_runtime.objects.place import S3Place
    from barid_testing.faulty_s3 import FaultyS3


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """A real nats-server with JetStream on a port of its own, for the whole session. No log-in is asked."""
    from barid_runtime.bus.embedded import die_with_parent, find_program

    with tempfile.TemporaryDirectory(prefix="barid-nats-") as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(
            f'host: 127.0.0.1\nport: -1\nports_file_dir: "{folder}"\nmax_payload: 8388608\n'
            f'log_file: "{folder}/nats.log"\njetstream {{ store_dir: "{folder}/store" }}\n'
        )
        process = subprocess.Popen(
            [find_program(), "-c", str(config)], start_new_session=True, preexec_fn=die_with_parent()
        )
        try:
            yield _first_url(Path(folder) / f"nats-server_{process.pid}.ports")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


def _first_url(ports: Path) -> str:
    import json

    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError, ValueError, LookupError):
            return str(json.loads(ports.read_text())["nats"][0])
        time.sleep(0.005)
    raise TimeoutError("nats-server did not start")


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator["NatsBus"]:
    """A connection of its own for the test; streams that the test made are deleted after it."""
    from barid_runtime.bus.nats import connect

    connection = await connect(nats_url, name="test")
    yield connection
    await delete_streams(connection)
    await connection.close()


async def delete_streams(bus: "NatsBus") -> None:
    """Leave nothing for the next test."""
    import json

    names = json.loads(await bus.request("$JS.API.STREAM.NAMES", b"")).get("streams") or []
    for name in names:
        await bus.request(f"$JS.API.STREAM.DELETE.{name}", b"")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["EmbeddedPostgres"]:
    """A real PostgreSQL on a port of its own, for the whole session.

    A commit doesn't wait for the disk: nobody pulls the plug here, and killing the server loses nothing.
    """
    from barid_runtime.database.embedded import EmbeddedPostgres

    # Not pytest's folders: those are closed to the user that root's server runs as.
    with tempfile.TemporaryDirectory(prefix="barid-postgres-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder), options={"fsync": "off"})
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())


@pytest_asyncio.fixture
async def postgres(postgres_server: "EmbeddedPostgres") -> AsyncIterator[Callable[..., Awaitable["PostgresDatabase"]]]:
    """A factory: `await postgres("name")` connects to the schema of that name, which is new in each test."""
    import asyncpg

    from barid_runtime.database.postgres import open_postgres

    opened: list[PostgresDatabase] = []
    admin = await asyncpg.connect(postgres_server.url())

    async def make(name: str = "test") -> "PostgresDatabase":
        await admin.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
        opened.append(await open_postgres(postgres_server.url(), schema=name, name="test"))
        schemas.add(name)
        return opened[-1]

    schemas: set[str] = set()
    yield make
    for made in opened:
        await made.close()
    for name in schemas:
        await admin.execute(f'DROP SCHEMA "{name}" CASCADE')
    await admin.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["Place"]:
    """Where a service's tables stand: each test once with a new file, once with a new schema of a real PostgreSQL."""
    from barid_runtime.database.door import Place

    if request.param == "sqlite":
        yield Place(tmp_path / "test.db")
        return
    server: EmbeddedPostgres = request.getfixturevalue("postgres_server")
    yield Place(tmp_path / "none.db", server.url(), "place")
    asyncio.run(_drop_schema(server.url(), "place"))


async def _drop_schema(url: str, schema: str) -> None:
    import asyncpg

    admin = await asyncpg.connect(url)
    await admin.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    await admin.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator["EmbeddedS3"]:
    """A real S3 server on a port of its own, for the whole session."""
    from barid_runtime.objects.embedded import EmbeddedS3

    with tempfile.TemporaryDirectory(prefix="barid-s3-") as folder:
        server = EmbeddedS3(Path(folder))
        asyncio.run(server.start())
        try:
            yield server
        finally:
            asyncio.run(server.stop())


@pytest.fixture
def s3_place(s3_server: "EmbeddedS3") -> "S3Place":
    """A bucket of the test's own. Its window is short, for tests wait for it."""
    import dataclasses
    import secrets

    from barid_runtime.objects.s3 import Bucket

    place = dataclasses.replace(s3_server.place, bucket=f"test-{secrets.token_hex(6)}", window=0.005)
    bucket = Bucket(place)
    next(bucket.below(""), None)  # makes it
    bucket.close()
    return place


@pytest.fixture
def faulty_s3(s3_server: "EmbeddedS3") -> Iterator["FaultyS3"]:
    """A proxy before the server that fails where the test wants it to."""
    from barid_testing.faulty_s3 import FaultyS3

    proxy = FaultyS3(s3_server.port)
    yield proxy
    proxy.close()


class ManualClock:
    """A Clock that stands still until `advance` moves it; those who sleep wake when their time has come."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their times; then let them run."""
        target = self._now + seconds
        while due := sorted(((at, f) for at, f in self._sleepers if at <= target), key=lambda pair: pair[0]):
            at, future = due[0]
            self._sleepers.remove((at, future))
            self._now = max(self._now, at)
            if not future.done():
                future.set_result(None)
            await settle()
        self._now = target
        await settle()

    async def leap(self, seconds: float) -> None:
        """Move on at once, as a machine does that was asleep: who sleeps often wakes once, not a million times."""
        self._now += seconds
        await self.advance(0)


async def settle(turns: int = 5) -> None:
    """Let tasks that can run do so."""
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.fixture
def manual_clock() -> ManualClock:
    """A Clock at a fixed time, moved by `await manual_clock.advance(seconds)`."""
    return ManualClock()


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Callable[..., "SqliteDatabase"]]:
    """A factory: `database("name")` opens `<tmp_path>/<name>.db`; all are closed after the test."""
    from barid_runtime.database.sqlite import open_database

    opened: list[SqliteDatabase] = []

    def make(name: str = "test") -> "SqliteDatabase":
        made = open_database(tmp_path / f"{name}.db")
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.close()
