"""The database on SQLite, through apsw: one owner per file, one writer, a commit shared by all who wait.

How a write goes. Works run inline on the loop's thread, inside one open transaction, each behind a savepoint: a
statement costs microseconds, a hand-over to a thread and back 50-100 of them under a contended interpreter lock. The
COMMIT, which waits for the disk, runs in one worker thread that releases the lock meanwhile. While it runs the
connection is in use, so works that arrive queue up; they become the next transaction. No gather delay is needed.

What a crash leaves: whatever was not committed never was; no `write` had returned.

Why apsw: it brings a current SQLite (the system's may lack FTS5 options we use), its errors are SQLite's own codes, and
a row costs half of what an object mapper takes.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import apsw

from .measures import Measures
from .port import Cursor, DatabaseError, DatabaseFull, OutcomeUnknown
from .sqlite_connection import SqliteCursor, connect, is_ours, own, refused, translated
from .works import Work, Works

T = TypeVar("T")


def open_database(path: Path, *, synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL") -> "SqliteDatabase":
    """Open or create the file and own it until `close`. Raises DatabaseError; NotTheOwner if it has another owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = own(path)
    try:
        return SqliteDatabase(path, lock, synchronous)
    except BaseException:
        os.close(lock)
        raise


class SqliteDatabase:
    """A Database. Make it with `open_database`; use it from one event loop."""

    def __init__(self, path: Path, lock: int, synchronous: str) -> None:
        self.path = path
        self._lock = lock
        self._synchronous = synchronous
        self._writer = connect(path, synchronous, read_only=False)
        self._reader = connect(path, synchronous, read_only=True)
        self._heavy: apsw.Connection | None = None
        self._write_cursor = SqliteCursor(self._writer)
        self._read_cursor = SqliteCursor(self._reader)
        self._works = Works(self._commit_batch)
        # One thread for commits, one for heavy reads: neither may wait for the other.
        self._commits = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-commit")
        self._reads = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-read")
        self._measures = Measures(path.stem)
        self._closed = False

    # --- writing

    async def write(self, work: Callable[[Cursor], T]) -> T:
        if self._closed:
            raise DatabaseError(f"{self.path} is closed")
        return await self._works.add(work)

    async def _commit_batch(self, batch: list[Work]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if self._run(batch):
                await self._make_durable(loop)
                self._measures.transaction(loop.time() - began)
                self._measures.works(len(batch))
        except asyncio.CancelledError:
            raise  # a commit may be under way: the connection is not ours
        except BaseException as error:
            self._undo()
            if isinstance(error, apsw.Error):
                raise translated(error) from error
            raise

    def _run(self, batch: list[Work]) -> bool:
        """Run the works inside a transaction; false if there is nothing left to commit."""
        if not batch:
            return False
        execute = self._writer.execute
        cursor = self._write_cursor
        execute("BEGIN IMMEDIATE")
        for work in batch:
            execute("SAVEPOINT work")
            try:
                work.result = work.run(cursor)
            except apsw.Error as error:
                work.error = translated(error) if is_ours(error) else error
                if not self._writer.in_transaction:
                    cursor.close_statements()
                    # SQLite ended the whole transaction (disk full, I/O): what the others did is undone as well.
                    raise
            except Exception as error:
                work.error = refused(error)
            cursor.close_statements()
            if work.error is not None:
                execute("ROLLBACK TO work")
            execute("RELEASE work")
        return True

    async def _make_durable(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.run_in_executor(self._commits, self._commit)
        except apsw.Error as error:
            failure = translated(error)
            if isinstance(failure, DatabaseFull):
                raise
            # Undone for us; but what the log has of it may count after a loss of power.
            raise OutcomeUnknown(str(failure)) from error

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    def _undo(self) -> None:
        if self._writer.in_transaction:
            try:
                self._writer.execute("ROLLBACK")
            except apsw.Error:
                # It rolled back by itself while it told us so.
                pass

    # --- reading

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        """heavy: more than about a millisecond; it runs in a thread, on a connection of its own."""
        if self._closed:
            raise DatabaseError(f"{self.path} is closed")
        if heavy:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._reads, self._read_heavy, work)
        return self._read(self._reader, self._read_cursor, work)

    def _read_heavy(self, work: Callable[[Cursor], T]) -> T:
        if self._heavy is None:
            self._heavy = connect(self.path, self._synchronous, read_only=True)
        return self._read(self._heavy, SqliteCursor(self._heavy), work)

    @staticmethod
    def _read(connection: apsw.Connection, cursor: SqliteCursor, work: Callable[[Cursor], T]) -> T:
        try:
            connection.execute("BEGIN")
            try:
                return work(cursor)
            finally:
                cursor.close_statements()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except apsw.Error as error:
            if is_ours(error):
                raise translated(error) from error
            raise
        except (UnicodeEncodeError, OverflowError) as error:
            raise refused(error) from None

    # --- end

    async def close(self) -> None:
        """Finish the writes that wait, then give the file up."""
        if self._closed:
            return
        self._closed = True
        await self._works.finish()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reads, self._close_readers)
        # The last connection to close copies the log into the file, which may take a while: not on the loop.
        await loop.run_in_executor(self._commits, self._close_writer)
        self._commits.shutdown()
        self._reads.shutdown()
        os.close(self._lock)

    def _close_readers(self) -> None:
        if self._heavy is not None:
            self._heavy.close()
        self._reader.close()

    def _close_writer(self) -> None:
        self._writer.close()
