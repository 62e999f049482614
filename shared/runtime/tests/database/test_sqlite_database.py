"""SQLite's own: one owner per file, a shared commit, a full disk, and what a killed process leaves."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from barid_runtime.database.port import Cursor, DatabaseError, DatabaseFull, OutcomeUnknown
from barid_runtime.database.sqlite import SqliteDatabase, open_database
from barid_runtime.database.sqlite_connection import NotTheOwner

Factory = Callable[..., SqliteDatabase]


def make_table(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE letter (id INTEGER PRIMARY KEY, body BLOB)")


def insert(n: int, body: bytes = b"") -> Callable[[Cursor], None]:
    def work(cursor: Cursor) -> None:
        cursor.execute("INSERT INTO letter VALUES (?, ?)", (n, body))

    return work


async def count(db: SqliteDatabase) -> int:
    row = await db.read(lambda cursor: cursor.one("SELECT count(*) FROM letter"))
    assert row is not None
    return int(row[0])


async def test_a_file_is_durable_owned_and_checks_its_references(database: Factory) -> None:
    db = database()

    def pragmas(cursor: Cursor) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [cursor.all(f"PRAGMA {name}")[0][0] for name in names]

    assert await db.read(pragmas) == ["wal", 2, 1]


async def test_works_that_wait_share_a_commit(database: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    db = database()
    await db.write(make_table)
    commits = 0
    commit = db._commit

    def counted() -> None:
        nonlocal commits
        commits += 1
        commit()

    monkeypatch.setattr(db, "_commit", counted)
    await asyncio.gather(*[db.write(insert(n)) for n in range(500)])
    assert commits == 1
    # While a commit runs, the next gather behind it.
    late = []

    async def trickle() -> None:
        for n in range(500, 600):
            late.append(asyncio.create_task(db.write(insert(n))))
            await asyncio.sleep(0)

    await trickle()
    await asyncio.gather(*late)
    assert commits < 60
    assert await count(db) == 600


async def test_the_loop_turns_while_a_commit_waits_for_the_disk(
    database: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    db = database()
    await db.write(make_table)
    commit = db._commit

    def slow() -> None:
        time.sleep(0.2)
        commit()

    monkeypatch.setattr(db, "_commit", slow)
    writing = asyncio.create_task(db.write(insert(1)))
    await asyncio.sleep(0.05)
    # Readers are not in its way, and see what was durable before.
    started = time.monotonic()
    assert await count(db) == 0
    assert time.monotonic() - started < 0.1
    await writing
    assert await count(db) == 1


async def test_a_failing_commit_fails_all_of_it_and_the_next_one_works(
    database: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = database()
    await db.write(make_table)
    commit = db._commit
    faults: list[Exception] = [apsw.FullError("database or disk is full"), apsw.IOError("disk I/O error")]

    def failing() -> None:
        if faults:
            raise faults.pop(0)
        commit()

    monkeypatch.setattr(db, "_commit", failing)
    first = await asyncio.gather(*[db.write(insert(n)) for n in range(3)], return_exceptions=True)
    assert [type(each) for each in first] == [DatabaseFull] * 3
    second = await asyncio.gather(*[db.write(insert(n)) for n in range(3)], return_exceptions=True)
    assert [type(each) for each in second] == [OutcomeUnknown] * 3
    assert await count(db) == 0
    await asyncio.gather(*[db.write(insert(n)) for n in range(3)])
    assert await count(db) == 3


async def test_a_second_owner_is_refused_in_words(database: Factory, tmp_path: Path) -> None:
    db = database()
    code = (
        "import sys; from pathlib import Path; from barid_runtime.database.sqlite import open_database\n"
        "try: open_database(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(db.path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout.startswith(f"NotTheOwner {db.path} is in use by process {os.getpid()}")
    with pytest.raises(NotTheOwner):
        open_database(db.path)
    await db.close()
    again = open_database(db.path)
    await again.close()


async def test_no_database_at_all(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(b"this was never a database" * 100)
    with pytest.raises(DatabaseError, match="can't be opened"):
        open_database(path)
    path.unlink()
    db = open_database(path)
    await db.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from barid_runtime.database.sqlite import open_database

async def main():
    db = open_database(Path(sys.argv[1]))
    await db.write(lambda c: c.execute("CREATE TABLE letter (id INTEGER PRIMARY KEY, body BLOB)"))

    async def write(start):
        for n in range(start, 10**9, 20):
            await db.write(lambda c: c.execute("INSERT INTO letter VALUES (?, ?)", (n, b"x" * 100)))
            print(n, flush=True)

    await asyncio.gather(*[write(start) for start in range(20)])

asyncio.run(main())
"""


async def test_what_a_write_returned_for_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    told = {int(await asyncio.to_thread(writer.stdout.readline)) for _ in range(200)}
    os.kill(writer.pid, signal.SIGKILL)
    told |= {int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")}
    writer.stdout.close()
    writer.wait()

    db = open_database(path)
    found = {row[0] for row in await db.read(lambda cursor: cursor.all("SELECT id FROM letter"))}
    assert told <= found
    await db.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_refuses_writes_serves_reads_and_recovers(small_disk: Path) -> None:
    db = open_database(small_disk / "full.db")
    await db.write(make_table)
    kept, failed = 0, 0
    for n in range(200):
        try:
            await db.write(insert(n, os.urandom(40_000)))
            kept += 1
        except DatabaseFull:
            failed += 1
            if failed == 5:
                break
    assert failed == 5
    assert await count(db) == kept

    # Somebody else's file goes; no restart is needed.
    results = await asyncio.gather(
        db.write(insert(1_000, os.urandom(900_000))),
        db.write(insert(1_001, os.urandom(900_000))),
        return_exceptions=True,
    )
    assert {type(each) for each in results} == {DatabaseFull}
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    await db.write(insert(2_000, os.urandom(100_000)))
    assert await count(db) == kept + 1
    await db.close()
