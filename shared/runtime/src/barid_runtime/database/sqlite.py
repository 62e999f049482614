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
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import apsw

from .measures import Measures
from .port import Cursor, DatabaseError, DatabaseFull, OutcomeUnknown
from .sqlite_connection import SqliteCursor, connect, is_ours, own, refused, translated

T = TypeVar("T")

BATCH_MOST = 512
"""Works in one transaction: bounds how long the first of them waits for the last, and how long the loop is held."""


def open_database(path: Path, *, synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL") -> "SqliteDatabase":
    """Open or create the file and own it until `close`. Raises DatabaseError; NotTheOwner if it has another owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = own(path)
    try:
        return SqliteDatabase(path, lock, synchronous)
    except BaseException:
        os.close(lock)
        raise


class _Work:
    """One `write` that waits."""

    __slots__ = ("done", "error", "result", "run")

    def __init__(self, run: Callable[[Cursor], Any], done: asyncio.Future[Any]) -> None:
        self.run = run
        self.done = done
        self.result: Any = None
        self.error: BaseException | None = None


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
        self._waiting: deque[_Work] = deque()
        self._pump: asyncio.Task[None] | None = None
        # One thread for commits, one for heavy reads: neither may wait for the other.
        self._commits = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-commit")
        self._reads = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-read")
        self._measures = Measures(path.stem)
        self._closed = False

    # --- writing

    async def write(self, work: Callable[[Cursor], T]) -> T:
        if self._closed:
            raise DatabaseError(f"{self.path} is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Work(work, done))
        if self._pump is None or self._pump.done():
            # Starts at the next turn of the loop, so works of this turn come into one transaction.
            self._pump = loop.create_task(self._run_pump(loop))
        return await done

    async def _run_pump(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MOST, len(self._waiting)))]
            # Whoever was cancelled before it began need not happen.
            batch = [work for work in batch if not work.done.cancelled()]
            began = loop.time()
            try:
                if self._run(batch):
                    await self._make_durable(loop)
                    self._measures.transaction(loop.time() - began)
                    self._measures.works(len(batch))
            except OutcomeUnknown as error:
                self._undo()
                self._fail(batch, error)
            except apsw.Error as error:
                self._undo()
                self._fail(batch, translated(error))
            except asyncio.CancelledError:
                # The loop is being torn down around us, with a commit perhaps under way: the connection is not ours.
                self._fail(batch, OutcomeUnknown("cancelled: it may have been committed"))
                raise
            except BaseException:
                self._undo()
                self._fail(batch, DatabaseError("a work ended the process"))
                raise
            self._settle(batch)

    def _fail(self, batch: list[_Work], failure: DatabaseError) -> None:
        for work in batch:
            if work.error is None:
                work.error = failure
        self._settle(batch)

    @staticmethod
    def _settle(batch: list[_Work]) -> None:
        for work in batch:
            if work.done.done():
                continue
            if work.error is None:
                work.done.set_result(work.result)
            else:
                work.done.set_exception(work.error)

    def _run(self, batch: list[_Work]) -> bool:
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
        if self._pump is not None:
            await asyncio.wait([self._pump])
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
