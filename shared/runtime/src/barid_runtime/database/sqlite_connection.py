"""Connections to a SQLite file, and what may be done on one: the owner's lock, settings, errors, cursors."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, cast

import apsw

from .port import DatabaseError, DatabaseFull, Dialect, Row, Value, ValueRefused

BUSY_TIMEOUT_MS = 2_000
"""Only a checkpoint of a migration's leftover connection can hold the file; we own it."""

STATEMENT_CACHE = 500
"""Prepared statements kept per connection; a service has a few dozen."""

CACHE_KIB = 8 * 1024
"""Per connection. Memory-mapped reads gained nothing above the noise, and turn a bad sector from an error into a signal
that kills the process; so there are none."""

CHECKPOINT_PAGES = 4_000
"""16 MB of log before its pages are copied into the file: half as many copies of hot pages as at the default."""

JOURNAL_LIMIT = 64 * 1024 * 1024
"""Bytes to which the log is cut after a long reader had kept it growing."""


class NotTheOwner(DatabaseError):
    """Another process has the file."""


def own(path: Path) -> int:
    """The lock's descriptor: the file is ours until it is closed. Raises NotTheOwner."""
    lock_path = path.with_name(path.name + ".lock")
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise NotTheOwner(
            f"{path} is in use by process {owner}: each file has one owning process; stop that one first"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def connect(path: Path, synchronous: str, *, read_only: bool) -> apsw.Connection:
    """Raises DatabaseError."""
    try:
        connection = apsw.Connection(str(path), statementcachesize=STATEMENT_CACHE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT}")
        connection.execute("PRAGMA temp_store = MEMORY")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except apsw.Error as error:
        raise translated(error, f"{path} can't be opened") from error
    return connection


def translated(error: apsw.Error, what: str = "the database failed") -> DatabaseError:
    """As the port says it."""
    if isinstance(error, apsw.FullError):
        return DatabaseFull(f"{what}: no space left")
    return DatabaseError(f"{what}: {error}")


def refused(error: Exception) -> Exception:
    """Of what a work raised: a value that SQLite can't hold, as the port says it; else what it is."""
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return ValueRefused("a value is none that the database holds")  # Python's words repeat the value
    return error


def is_ours(error: apsw.Error) -> bool:
    """A fault of the machine (full, busy, I/O), not of the statement (a constraint, its SQL)."""
    return isinstance(
        error,
        apsw.FullError | apsw.IOError | apsw.BusyError | apsw.LockedError | apsw.NoMemError | apsw.CantOpenError
        | apsw.ReadOnlyError | apsw.CorruptError | apsw.NotADBError,
    )  # fmt: skip


class SqliteCursor:
    """A Cursor on a connection that is ours for the moment.

    A statement whose rows were not all read stays in progress: it would keep a savepoint from being released, and a
    snapshot, with it the log, from ever being let go. So what a work opened is closed after it.
    """

    dialect: ClassVar[Dialect] = "sqlite"

    __slots__ = ("_connection", "_execute", "_executemany", "_open")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._open: list[apsw.Cursor] = []

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        cursor = self._execute(sql, parameters)
        self._open.append(cursor)
        return cast("Iterator[Row]", cursor)

    def close_statements(self) -> None:
        """After each work."""
        if self._open:
            for cursor in self._open:
                cursor.close(True)
            self._open.clear()

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        self._executemany(sql, rows)

    def one(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        cursor = self._execute(sql, parameters)
        row = cursor.fetchone()
        cursor.close(True)
        return cast("Row | None", row)

    def all(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return cast("list[Row]", self._execute(sql, parameters).fetchall())

    def changes(self) -> int:
        return self._connection.changes()
