"""The duties of a database (`barid_runtime.database.port`).

A subclass gives the fixture `db`, an empty Database. The SQL here is what all of them understand.
"""

import asyncio
import time

import pytest

from barid_runtime.database.port import Cursor, Database, ValueRefused


class Refused(Exception):
    """What a work may raise."""


def insert(value: int) -> "Work":
    return Work(value)


class Work:
    """Inserts a row, then raises if told to."""

    def __init__(self, value: int, *, fail: bool = False) -> None:
        self.value = value
        self.fail = fail

    def __call__(self, cursor: Cursor) -> int:
        cursor.execute("INSERT INTO letter (id, subject) VALUES (?, ?)", (self.value, f"letter {self.value}"))
        if self.fail:
            raise Refused(str(self.value))
        return self.value


async def ids(db: Database) -> list[int]:
    return [row[0] for row in await db.read(lambda cursor: cursor.all("SELECT id FROM letter ORDER BY id"))]


class DatabaseContract:
    """Writes, reads, and what one leaves of the other."""

    bytes_type = "BLOB"

    @pytest.fixture(autouse=True)
    async def _table(self, db: Database) -> None:
        make = f"CREATE TABLE letter (id INTEGER PRIMARY KEY, subject TEXT, body {self.bytes_type})"
        await db.write(lambda cursor: cursor.execute(make))

    async def test_a_write_returns_what_its_work_returned(self, db: Database) -> None:
        assert await db.write(insert(7)) == 7
        assert await ids(db) == [7]

    async def test_values_come_back_as_they_went(self, db: Database) -> None:
        row = (1, "üñí '?' \U0001f4ec", b"\x00\xff")
        await db.write(lambda cursor: cursor.execute("INSERT INTO letter VALUES (?, ?, ?)", row))
        assert await db.read(lambda cursor: cursor.one("SELECT * FROM letter")) == row
        assert await db.read(lambda cursor: cursor.one("SELECT * FROM letter WHERE id = 2")) is None

    async def test_many_writes_at_once(self, db: Database) -> None:
        assert await asyncio.gather(*[db.write(insert(n)) for n in range(1_000)]) == list(range(1_000))
        assert await ids(db) == list(range(1_000))

    async def test_one_that_raises_undoes_only_itself(self, db: Database) -> None:
        works = [Work(n, fail=n % 3 == 0) for n in range(30)]
        results = await asyncio.gather(*[db.write(work) for work in works], return_exceptions=True)
        assert [n for n, result in enumerate(results) if isinstance(result, Refused)] == list(range(0, 30, 3))
        assert await ids(db) == [n for n in range(30) if n % 3]

    async def test_a_constraint_undoes_only_the_work_that_broke_it(self, db: Database) -> None:
        results = await asyncio.gather(
            db.write(insert(1)), db.write(insert(1)), db.write(insert(2)), return_exceptions=True
        )
        assert results[0] == 1
        assert isinstance(results[1], Exception)
        assert results[2] == 2
        assert await ids(db) == [1, 2]

    async def test_a_write_sees_those_before_it(self, db: Database) -> None:
        def count(cursor: Cursor) -> int:
            row = cursor.one("SELECT count(*) FROM letter")
            assert row is not None
            return int(row[0])

        _, seen, _ = await asyncio.gather(db.write(insert(1)), db.write(count), db.write(insert(2)))
        assert seen == 1

    async def test_a_statement_runs_although_nobody_reads_its_rows(self, db: Database) -> None:
        await db.write(lambda cursor: cursor.execute("INSERT INTO letter (id) VALUES (1) RETURNING id"))
        assert await ids(db) == [1]

    async def test_rows_left_unread_are_in_nobodys_way(self, db: Database) -> None:
        await asyncio.gather(*[db.write(insert(n)) for n in range(100)])

        def peek(cursor: Cursor) -> int:
            return int(next(cursor.execute("SELECT id FROM letter ORDER BY id"))[0])

        assert list(await asyncio.gather(db.write(peek), db.read(peek), db.read(peek, heavy=True))) == [0, 0, 0]
        await db.write(lambda cursor: cursor.execute("DELETE FROM letter"))
        assert await ids(db) == []

    async def test_changes(self, db: Database) -> None:
        def work(cursor: Cursor) -> int:
            cursor.executemany("INSERT INTO letter (id) VALUES (?)", [(n,) for n in range(5)])
            cursor.execute("UPDATE letter SET subject = 'x' WHERE id < 3")
            return cursor.changes()

        assert await db.write(work) == 3

    @pytest.mark.parametrize("heavy", [False, True])
    async def test_a_read_can_not_write(self, db: Database, heavy: bool) -> None:
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            await db.read(insert(1), heavy=heavy)
        assert await ids(db) == []

    @pytest.mark.parametrize("heavy", [False, True])
    async def test_what_was_written_is_read(self, db: Database, heavy: bool) -> None:
        await db.write(insert(1))
        assert await db.read(lambda cursor: cursor.all("SELECT id FROM letter"), heavy=heavy) == [(1,)]

    async def test_a_heavy_read_is_one_snapshot(self, db: Database) -> None:
        await db.write(insert(0))

        def count_twice(cursor: Cursor) -> tuple[int, int]:
            first = len(cursor.all("SELECT id FROM letter"))
            time.sleep(0.1)
            return first, len(cursor.all("SELECT id FROM letter"))

        async def go_on_writing() -> None:
            for n in range(1, 20):
                await db.write(insert(n))
                await asyncio.sleep(0.005)

        (first, second), _ = await asyncio.gather(db.read(count_twice, heavy=True), go_on_writing())
        assert first == second
        assert len(await ids(db)) == 20

    async def test_reads_of_both_kinds_and_writes_get_on_with_each_other(self, db: Database) -> None:
        def count(cursor: Cursor) -> int:
            return len(cursor.all("SELECT id FROM letter"))

        works = [work for n in range(50) for work in (db.write(insert(n)), db.read(count), db.read(count, heavy=True))]
        await asyncio.wait_for(asyncio.gather(*works), 30)
        assert await ids(db) == list(range(50))

    async def test_wrong_sql_undoes_only_the_work_that_said_it(self, db: Database) -> None:
        def wrong(cursor: Cursor) -> None:
            cursor.execute("INSERT INTO letter (id) VALUES (100)")
            cursor.execute("INSERT INTO nowhere VALUES (1)")

        results = await asyncio.gather(
            db.write(insert(1)), db.write(wrong), db.write(insert(2)), return_exceptions=True
        )
        assert isinstance(results[1], Exception)
        assert await ids(db) == [1, 2]
        with pytest.raises(Exception, match="nowhere"):
            await db.read(lambda cursor: cursor.one("SELECT * FROM nowhere"))
        assert await ids(db) == [1, 2]

    @pytest.mark.parametrize("value", [(1, "my secret \ud800", b""), (1 << 64, "my secret", b"")])
    async def test_a_value_that_it_can_not_hold_is_refused_by_itself_and_not_told(
        self, db: Database, value: tuple[int, str, bytes]
    ) -> None:
        """Also among works that share its transaction, and by one that reads."""
        sql = "INSERT INTO letter VALUES (?, ?, ?)"
        results = await asyncio.gather(
            db.write(insert(5)),
            db.write(lambda cursor: cursor.execute(sql, value)),
            db.write(lambda cursor: cursor.executemany(sql, [(8, "", b""), value])),
            db.write(insert(6)),
            db.read(lambda cursor: cursor.one("SELECT 1 FROM letter WHERE id = ? AND subject = ?", value[:2])),
            return_exceptions=True,
        )
        assert (results[0], results[3]) == (5, 6)
        for failure in (results[1], results[2], results[4]):
            assert isinstance(failure, ValueRefused)
            assert "secret" not in str(failure)
        assert await ids(db) == [5, 6]

    async def test_large_and_empty_values(self, db: Database) -> None:
        rows = [(1, "x" * 1_000_000, b"\0" * 1_000_000), (2, "", b""), (3, None, None)]
        await db.write(lambda cursor: cursor.executemany("INSERT INTO letter VALUES (?, ?, ?)", rows))
        await db.write(lambda cursor: cursor.executemany("INSERT INTO letter VALUES (?, ?, ?)", []))
        assert await db.read(lambda cursor: cursor.all("SELECT * FROM letter ORDER BY id")) == rows

    async def test_what_a_read_raises_comes_to_the_caller_and_the_next_read_works(self, db: Database) -> None:
        def refuse(cursor: Cursor) -> None:
            cursor.execute("SELECT 1")
            raise Refused

        with pytest.raises(Refused):
            await db.read(refuse)
        assert await ids(db) == []

    async def test_a_writer_that_gave_up_hurts_nobody(self, db: Database) -> None:
        tasks = [asyncio.ensure_future(db.write(insert(n))) for n in range(10)]
        tasks[3].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [result for n, result in enumerate(results) if n != 3] == [0, 1, 2, 4, 5, 6, 7, 8, 9]

    async def test_close_finishes_what_waits_then_refuses(self, db: Database) -> None:
        writes = [asyncio.ensure_future(db.write(insert(n))) for n in range(10)]
        await asyncio.sleep(0)
        await db.close()
        assert await asyncio.gather(*writes) == list(range(10))
        await db.close()
        with pytest.raises(Exception, match="closed"):
            await db.write(insert(11))
        with pytest.raises(Exception, match="closed"):
            await db.read(insert(11))
