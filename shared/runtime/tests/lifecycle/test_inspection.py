"""What a replica tells of what it stands on: also, and in time, when that is dead."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from barid_contracts.status import Findings, Lease
from barid_runtime import inspection
from barid_runtime.clock import SystemClock
from barid_runtime.database.postgres import PostgresDatabase
from barid_runtime.database.sqlite import SqliteDatabase
from barid_runtime.inspection import inspected
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.faulty_s3 import FaultyS3


async def test_a_file_answers(database: Callable[..., SqliteDatabase]) -> None:
    found = await inspected(database=database(), place="relay.db")
    assert found.database is not None and found.objects is None
    assert (found.database.place, found.database.problem, found.database.primary) == ("relay.db", "", True)
    assert found.database.microseconds and found.database.connections is None


async def test_a_server_tells_its_connections_and_its_longest_transaction(
    postgres: Callable[..., Awaitable[PostgresDatabase]],
) -> None:
    database = await postgres()
    neighbour = await postgres()
    began = asyncio.Event()

    def dawdle(cursor: Any) -> None:
        asyncio.get_running_loop().call_soon(began.set)
        cursor.one("SELECT pg_sleep(1.2)")

    dawdling = asyncio.ensure_future(neighbour.write(dawdle))
    await began.wait()
    await asyncio.sleep(0.4)
    state = (await inspected(database=database)).database
    await dawdling
    assert state is not None and state.problem == "" and state.primary
    assert state.place.startswith("127.0.0.1:")
    assert state.connections and state.connections >= 4
    assert state.connections_most and state.connections_most >= state.connections
    assert state.oldest_transaction_ms and 300 <= state.oldest_transaction_ms <= 1300


async def test_a_database_that_is_gone_or_stands_still_does_not_hold_up_the_answer(
    postgres: Callable[..., Awaitable[PostgresDatabase]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "LOOK_SECONDS", 0.2)
    database = await postgres()

    def leases(cursor: Any) -> list[Lease]:
        cursor.one("SELECT pg_sleep(2)")
        return [Lease(what="never", holder="x", until=1)]

    began = time.monotonic()
    found = await inspected(database=database, holder="x", leases=leases)
    assert time.monotonic() - began < 1.5
    assert (found.holder, found.leases) == ("x", [])
    assert found.database is not None and found.database.problem == ""
    await database.close()
    closed = (await inspected(database=database, place="db:5432/barid")).database
    assert closed is not None and "closed" in closed.problem
    assert closed.place == "db:5432/barid"


async def test_a_bucket_tells_its_last_put_and_that_it_is_dead(
    faulty_s3: FaultyS3, s3_place: S3Place, tmp_path: Path
) -> None:
    place = dataclasses.replace(s3_place, url=f"http://127.0.0.1:{faulty_s3.port}")
    journal = BucketJournal(tmp_path, "mss", Bucket(place), place, SystemClock())

    async def told() -> Findings:
        return await inspected(journal=journal)

    state = (await told()).objects
    assert state is not None and (state.problem, state.last_put, state.retries) == ("", None, 0)
    before = time.time() * 1000
    await journal.append(mail_of(1000), body_of(1000))
    state = (await told()).objects
    assert state is not None and state.last_put is not None
    assert before - 1 <= state.last_put <= time.time() * 1000 + 1
    broken = iter([500])
    faulty_s3.fault = lambda method, path: next(broken, None) if method == "PUT" else None
    await journal.append(mail_of(1000), body_of(1000))
    state = (await told()).objects
    assert state is not None and state.retries == 1
    faulty_s3.fault, faulty_s3.hang_seconds = lambda method, path: "hang", 1.3
    dead = (await told()).objects
    assert dead is not None and dead.problem and dead.microseconds is None
    assert dead.last_put == state.last_put
    faulty_s3.fault = lambda method, path: None
    await journal.close()


async def test_a_journal_in_a_directory_is_no_object_store(tmp_path: Path) -> None:
    journal = PackJournal(tmp_path, "mss")
    assert (await inspected(journal=journal)).objects is None
    await journal.close()
