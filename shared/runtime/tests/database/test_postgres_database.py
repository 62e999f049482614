"""PostgreSQL's own: other writers, deadlocks, a server that dies, restarts, only reads, or was never there."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from barid_runtime.database.door import Place
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.port import Cursor, DatabaseAway, DatabaseError, OutcomeUnknown
from barid_runtime.database.postgres import PostgresDatabase, open_postgres, place_of
from barid_runtime.database.statements import statement
from barid_runtime.database.waiting import run, wait

Factory = Callable[..., Awaitable[PostgresDatabase]]


def make_table(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE letter (id BIGINT PRIMARY KEY, seen BIGINT NOT NULL DEFAULT 0)")


def insert(n: int) -> Callable[[Cursor], None]:
    return lambda cursor: cursor.executemany("INSERT INTO letter (id) VALUES (?)", [(n,)])


async def ids(db: PostgresDatabase) -> list[int]:
    return [row[0] for row in await db.read(lambda cursor: cursor.all("SELECT id FROM letter ORDER BY id"))]


class TestStatements:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("SELECT a FROM b WHERE c = ? AND d < ?", "SELECT a FROM b WHERE c = $1 AND d < $2"),
            ("SELECT '?', \"a?\", 'it''s ?' WHERE c = ?", "SELECT '?', \"a?\", 'it''s ?' WHERE c = $1"),
            ("SELECT 1 -- really?\n WHERE a = ?", "SELECT 1 -- really?\n WHERE a = $1"),
            ("SELECT ?2, ?1 WHERE a = ?1", "SELECT $2, $1 WHERE a = $1"),
            ("DELETE FROM a", "DELETE FROM a"),
        ],
    )
    def test_parameters_are_numbered_but_not_in_text(self, ours: str, theirs: str) -> None:
        assert statement(ours).sql == theirs

    @pytest.mark.parametrize(
        ("sql", "rows"),
        [
            ("SELECT 1", True),
            ("  with a as (select 1) select * from a", True),
            ("INSERT INTO a VALUES (?) RETURNING id", True),
            ("INSERT INTO a VALUES (?)", False),
            ("UPDATE a SET selected = 1", False),
        ],
    )
    def test_it_is_known_what_answers_with_rows(self, sql: str, rows: bool) -> None:
        assert statement(sql).rows is rows


class TestWaiting:
    async def test_a_plain_function_waits(self) -> None:
        async def answer(n: int) -> int:
            await asyncio.sleep(0)
            return n * 2

        assert await run(lambda n: wait(answer(wait(answer(n)))), 3) == 12

    async def test_what_fails_is_raised_where_it_was_waited_for(self) -> None:
        async def fail() -> None:
            raise LookupError

        def work() -> str:
            try:
                wait(fail())
            except LookupError:
                return "seen"
            return "not seen"

        assert await run(work) == "seen"

    async def test_cancelling_reaches_the_function(self) -> None:
        ended: list[str] = []

        def work() -> None:
            try:
                wait(asyncio.sleep(60))
            finally:
                ended.append("yes")

        task = asyncio.create_task(run(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["yes"]


async def test_two_processes_write_the_same_rows(postgres: Factory) -> None:
    one, other = await postgres(), await postgres()
    await one.write(make_table)
    await one.write(insert(1))

    def count(cursor: Cursor) -> None:
        row = cursor.one("SELECT seen FROM letter WHERE id = 1 FOR UPDATE")
        assert row is not None
        cursor.execute("UPDATE letter SET seen = ? WHERE id = 1", (row[0] + 1,))

    await asyncio.gather(*[db.write(count) for _ in range(50) for db in (one, other)])
    assert await one.read(lambda cursor: cursor.one("SELECT seen FROM letter")) == (100,)


async def test_a_deadlock_is_undone_and_tried_again(postgres: Factory) -> None:
    """Two that lock the same two rows in opposite order."""
    one, other = await postgres(), await postgres()
    await one.write(make_table)
    await one.write(insert(1))
    await one.write(insert(2))
    runs: list[int] = []

    def lock(first: int, second: int) -> Callable[[Cursor], None]:
        def work(cursor: Cursor) -> None:
            runs.append(first)
            for n in (first, second):
                cursor.execute("UPDATE letter SET seen = seen + 1 WHERE id = ?", (n,))
                cursor.one("SELECT 1 FROM pg_sleep(0.2)")

        return work

    await asyncio.gather(one.write(lock(1, 2)), other.write(lock(2, 1)))
    assert len(runs) == 3
    assert await one.read(lambda cursor: cursor.all("SELECT id, seen FROM letter ORDER BY id")) == [(1, 2), (2, 2)]


async def test_rows_of_a_write_that_failed_alone_are_gone(postgres: Factory) -> None:
    db = await postgres()
    await db.write(make_table)

    def fail(cursor: Cursor) -> None:
        insert(1)(cursor)
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(fail)
    assert await ids(db) == []
    await db.write(insert(2))
    assert await ids(db) == [2]


async def test_a_look_up_planned_while_the_table_was_empty_does_not_read_all_of_it(postgres: Factory) -> None:
    db = await postgres()
    more = ", ".join(f"column_{n} TEXT" for n in range(9))  # a page holds few of them, so an empty table looks small
    await db.write(lambda cursor: cursor.execute(f"CREATE TABLE wide (id TEXT PRIMARY KEY, {more})"))
    parameters: Any = (["1", "2"],)

    def look_up(cursor: Cursor) -> list[tuple[Any, ...]]:
        return cursor.all("SELECT id FROM wide WHERE id = ANY(?::text[])", parameters)

    def rows_read(cursor: Cursor) -> int:
        cursor.one("SELECT pg_stat_force_next_flush()")
        row = cursor.one("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'wide'::regclass")
        assert row is not None
        return int(row[0])

    for _ in range(10):
        assert await db.write(look_up) == []
    await db.write(lambda cursor: cursor.execute("INSERT INTO wide (id) SELECT generate_series(1, 2000)"))
    for _ in range(10):  # by now the server keeps the plan that it takes for the cheapest
        assert sorted(await db.write(look_up)) == [("1",), ("2",)]
    await db.write(rows_read)
    assert await db.write(rows_read) == 0


async def test_a_read_sees_one_moment(postgres: Factory) -> None:
    db = await postgres()
    await db.write(make_table)
    seen: list[int] = []

    def look_twice(cursor: Cursor) -> None:
        for _ in range(2):
            seen.append(len(cursor.all("SELECT id FROM letter")))
            cursor.one("SELECT 1 FROM pg_sleep(0.2)")

    reading = asyncio.create_task(db.read(look_twice))
    await asyncio.sleep(0.1)
    await db.write(insert(1))
    await reading
    assert seen == [0, 0]


@pytest.fixture
def folder() -> "contextlib.AbstractContextManager[str]":
    import tempfile

    return tempfile.TemporaryDirectory(prefix="barid-postgres-")


async def test_a_server_that_dies_comes_back_with_all_that_was_committed(
    folder: "contextlib.AbstractContextManager[str]", caplog: pytest.LogCaptureFixture
) -> None:
    with folder as place:
        Path(place).chmod(0o711)
        server = EmbeddedPostgres(Path(place))
        await server.start()
        db = await open_postgres(server.url(), schema="public", name="test")
        try:
            await db.write(make_table)
            assert await ids(db) == []
            kept: list[int] = []

            async def write(n: int) -> None:
                with contextlib.suppress(DatabaseError):
                    await db.write(insert(n))
                    kept.append(n)

            writes = []
            for n in range(200):
                writes.append(asyncio.create_task(write(n)))
                await asyncio.sleep(0.002)
                if n == 100:
                    await server.kill()
                    restart = asyncio.create_task(server.start())
            await restart
            await asyncio.gather(*writes)
            stand = await ids(db)
            assert set(kept) <= set(stand)
            # One transaction may have been under way: only its works are not known to have been done.
            assert len(kept) > 150
            await db.write(insert(1000))
            assert (await ids(db))[-1] == 1000
        finally:
            await db.close()
            await server.stop()
        assert server.pid is None
        # The driver has nothing to say of it: that a server is away is told by who needs it.
        assert [record.getMessage() for record in caplog.records if record.name.startswith("asyncpg")] == []


async def test_readers_go_where_the_writer_goes(
    folder: "contextlib.AbstractContextManager[str]", postgres_server: EmbeddedPostgres
) -> None:
    """A server whose transactions only read stands in for a standby; the roles change while readers are connected."""
    with folder as place:
        Path(place).chmod(0o711)
        first = EmbeddedPostgres(Path(place), options={"fsync": "off"})
        await first.start()
        for server in (first, postgres_server):
            await _as_admin(server, "CREATE ROLE mover LOGIN PASSWORD 'sesame'", "CREATE DATABASE moving OWNER mover")
        await _as_admin(postgres_server, "ALTER DATABASE moving SET default_transaction_read_only = on")
        hosts = f"127.0.0.1:{postgres_server.port},127.0.0.1:{first.port}"
        db = await open_postgres(f"postgresql://mover:sesame@{hosts}/moving", schema="public", name="test")
        try:
            await db.write(make_table)
            await db.write(insert(1))
            assert await ids(db) == [1]

            await _as_admin(postgres_server, "ALTER DATABASE moving RESET default_transaction_read_only")
            await _as_admin(first, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
            while await db.write(lambda cursor: cursor.one("SHOW default_transaction_read_only")) != ("on",):
                await asyncio.sleep(0.01)
            await db.write(make_table)
            await db.write(insert(2))
            assert await asyncio.gather(*[ids(db) for _ in range(4)]) == [[2]] * 4
        finally:
            await db.close()
            await _as_admin(postgres_server, "DROP DATABASE moving WITH (FORCE)", "DROP ROLE mover")
            await first.stop()


async def _as_admin(server: EmbeddedPostgres, *statements: str) -> None:
    admin = await asyncpg.connect(server.url())
    for each in statements:
        await admin.execute(each)
    await admin.close()


async def test_nobody_gets_the_port_while_the_server_is_down(
    folder: "contextlib.AbstractContextManager[str]",
) -> None:
    with folder as place:
        Path(place).chmod(0o711)
        server = EmbeddedPostgres(Path(place))
        await server.start()
        try:
            port = server.port
            await server.kill()
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind(("127.0.0.1", port))
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            await server.start()
            assert server.port == port
            second = EmbeddedPostgres(Path(place) / "second", port)
            with pytest.raises(DatabaseError, match=rf"can't listen on 127\.0\.0\.1:{port}: Address already in use"):
                await second.start()
        finally:
            await server.stop()
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))


async def test_a_server_that_is_away_is_an_error_in_bounded_time(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url().replace(f":{postgres_server.port}/", ":1/")
    with pytest.raises(DatabaseAway, match=r"127\.0\.0\.1:1/postgres can't be used") as failure:
        await open_postgres(url, schema="public", name="test")
    assert "barid:" not in str(failure.value)


async def test_a_wrong_password_is_not_repeated_in_the_error(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(DatabaseError, match="password authentication failed") as failure:
        await open_postgres(postgres_server.url(password="sesame"), schema="public", name="test")
    assert not isinstance(failure.value, DatabaseAway), "waiting makes no password right"
    assert "sesame" not in str(failure.value)
    url = "postgresql://user:sesame@a:1,b:2/mail"
    assert place_of(url) == Place(Path("none"), url).shown == "a:1,b:2/mail"


async def test_a_connection_that_the_server_ended_is_replaced(
    postgres: Factory, postgres_server: EmbeddedPostgres
) -> None:
    db = await postgres()
    await db.write(make_table)
    admin = await asyncpg.connect(postgres_server.url())
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
    await admin.close()
    await db.write(insert(1))
    assert await ids(db) == [1]


async def test_a_connection_that_is_lost_at_the_commit_says_neither_yes_nor_no(
    postgres: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await postgres()
    await db.write(make_table)
    execute = asyncpg.Connection.execute

    async def lost_at_the_commit(connection: asyncpg.Connection, sql: str, *arguments: object) -> str:
        said: str = await execute(connection, sql, *arguments)
        if sql == "COMMIT":
            raise ConnectionResetError("gone")
        return said

    with monkeypatch.context() as patched, pytest.raises(OutcomeUnknown, match="lost at COMMIT: gone"):
        patched.setattr(asyncpg.Connection, "execute", lost_at_the_commit)
        await db.write(insert(1))
    assert await ids(db) == [1]
    await db.write(insert(2))
    assert await ids(db) == [1, 2]


async def test_a_disk_or_a_server_may_fail_but_a_constraint_is_the_works_own_fault(postgres: Factory) -> None:
    db = await postgres()
    await db.write(make_table)
    await db.write(insert(1))
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.write(insert(1))
    with pytest.raises(asyncpg.UndefinedTableError):
        await db.read(lambda cursor: cursor.all("SELECT 1 FROM nothing"))
