"""The database on PostgreSQL, through asyncpg: a connection that writes, and a few that read.

How a write goes. Works that wait at the same moment share one transaction, as on SQLite: one commit is one wait for the
disk, and what a work of this process locks is never waited for by another of it. A work alone has no savepoint: two
round trips saved. Other replicas write at the same time; rows that more than one may change are locked by the works
themselves (`SELECT … FOR UPDATE`).

What goes wrong, and what becomes of it:
- a deadlock or a serialization failure: PostgreSQL undid the transaction, all its works are run again;
- the connection is lost before COMMIT was sent: nothing was committed, the works are run again on a new one;
- it is lost while COMMIT is under way: nobody can tell. The works fail with OutcomeUnknown, whoever asked asks again,
  and every handler is idempotent;
- a server that only reads (a standby, or a primary that was demoted): the connection is given up, and the next one
  looks for the primary among all hosts of the URL. Readers look for it too, and anew whenever the writer has to: a
  read meets no error on a server that another one has overtaken.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import asyncpg

from .measures import Measures
from .port import (
    READERS,
    Cursor,
    DatabaseAway,
    DatabaseError,
    DatabaseFull,
    Dialect,
    OutcomeUnknown,
    Row,
    Value,
    ValueRefused,
)
from .statements import statement
from .waiting import run, wait
from .works import Work, Works

T = TypeVar("T")

TRIES = 8
"""Runs of a batch that lost against another replica, or its connection. With the pauses between them 6 seconds: longer
than a switch-over, shorter than the patience of whoever asked."""

PAUSE_FIRST = 0.05
PAUSE_MOST = 2.0

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
"""For one statement: the longest (a first view of a mailbox of a million messages) takes a third of it."""

LOCK_SECONDS = 5
"""For a row that another replica holds: it lets go within milliseconds, or it is dead and the server will notice."""

WRITER_PLANS = {"enable_seqscan": "off", "jit": "off"}
"""Works go by keys. A plan is made once a connection and kept: one that was made while the table was empty reads all of
it each time, until the server has looked at its size again (a minute or two). In that time the ledger's look-up cost
75 ms a batch with 5,000 rows, and ever more. Where no index serves, the table is read all the same."""

IDLE_SECONDS = 15
"""In a transaction without a statement, as a stopped process would be: then the server ends it and frees its locks."""


async def open_postgres(url: str, *, schema: str, name: str, readers: int = READERS) -> "PostgresDatabase":
    """url: `postgresql://user:password@host:port/database`, also with several hosts; the one that takes writes is used.
    schema: where our tables stand. name: what an operator sees in `pg_stat_activity`. Raises DatabaseError."""
    database = PostgresDatabase(url, schema, name, readers)
    try:
        await database.open()
    except BaseException:
        await database.close()
        raise
    return database


def place_of(url: str) -> str:
    """The URL without its password, to be shown."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    return f"{hosts}{parts.path}"


def unusable(url: str, error: Exception) -> DatabaseError:
    """What is told of a server that a connection can't be opened to. A name that nobody knows and a port where nobody
    listens are as those of a server that starts later; a password or a certificate that is wrong stays so."""
    away = isinstance(error, _NOT_READY) and not isinstance(error, ssl.SSLError)
    reason = str(error) or type(error).__name__
    return (DatabaseAway if away else DatabaseError)(f"PostgreSQL at {place_of(url)} can't be used: {reason}")


_NOT_READY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,  # a standby, while another one is made the primary
)


def _ends_connection(error: BaseException) -> bool:
    """The connection, or the server behind it, is of no more use."""
    return isinstance(
        error,
        OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.PostgresConnectionError
        | asyncpg.OperatorInterventionError | asyncpg.ReadOnlySQLTransactionError | asyncpg.InternalClientError
        | asyncpg.IdleInTransactionSessionTimeoutError,
    ) and not isinstance(error, asyncpg.QueryCanceledError)  # fmt: skip


_BUSY = (asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError, asyncpg.QueryCanceledError)


def _lost_against_another(error: BaseException) -> bool:
    return isinstance(error, asyncpg.TransactionRollbackError | asyncpg.LockNotAvailableError)


def _translated(error: BaseException) -> BaseException:
    """A fault of the machine becomes DatabaseError, one of a value ValueRefused; one of the statement (a constraint,
    its SQL) stays what it is."""
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return ValueRefused("a text holds NUL")
    if isinstance(error, asyncpg.DataError):
        return ValueRefused("a value is none that the database holds")  # the driver's words repeat the value
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseFull("the database failed: no space left")
    if _ends_connection(error) or _lost_against_another(error) or isinstance(error, _BUSY):
        return DatabaseError(f"the database failed: {str(error) or type(error).__name__}")
    return error


class _Connection(asyncpg.Connection):  # type: ignore[misc] # it has no types
    def get_reset_query(self) -> str:
        """Nothing of a session outlives its transactions here: a round trip saved at each release to the pool."""
        return ""


class PostgresCursor:
    """A Cursor inside a work."""

    dialect: ClassVar[Dialect] = "postgres"

    __slots__ = ("_changes", "_connection")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._changes = 0

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        return iter(self.all(sql, parameters))

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        wait(self._connection.executemany(statement(sql).sql, rows))

    def one(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        rows = self.all(sql, parameters)
        return rows[0] if rows else None

    def all(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        prepared = statement(sql)
        if prepared.rows:
            rows = [tuple(row) for row in wait(self._connection.fetch(prepared.sql, *parameters))]
            self._changes = len(rows)
            return rows
        status: str = wait(self._connection.execute(prepared.sql, *parameters))
        count = status.rpartition(" ")[2]
        self._changes = int(count) if count.isdecimal() else 0
        return []

    def changes(self) -> int:
        return self._changes


class PostgresDatabase:
    """A Database. Make it with `open_postgres`; use it from one event loop."""

    def __init__(self, url: str, schema: str, name: str, readers: int) -> None:
        self._url = url
        self._settings = {
            "application_name": name,
            "search_path": schema,
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
        self._readers = readers
        self._pool: Any = None
        self._writer: Any = None
        self._works = Works(self._commit_batch)
        self._measures = Measures(schema)
        self._measures.watch(lambda: self.connected)
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the last transaction found its server."""
        return self._writer is not None and not self._writer.is_closed()

    async def open(self) -> None:
        try:
            self._writer = await self._connect()
            self._pool = await asyncpg.create_pool(
                self._url,
                # None is kept up: asyncpg would log a traceback at each try while the server is away.
                min_size=0,
                max_size=self._readers,
                connection_class=_Connection,
                timeout=CONNECT_SECONDS,
                command_timeout=COMMAND_SECONDS,
                server_settings=self._settings,
                target_session_attrs="read-write",
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise unusable(self._url, error) from error

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings=self._settings | WRITER_PLANS,
            target_session_attrs="read-write",
        )

    # --- writing

    async def write(self, work: Callable[[Cursor], T]) -> T:
        if self._closed:
            raise DatabaseError("the database is closed")
        return await self._works.add(work)

    async def _commit_batch(self, batch: list[Work]) -> None:
        try:
            await self._commit_some_time(batch)
        except Exception as error:
            translated = _translated(error)
            if translated is error:
                raise
            raise translated from error

    async def _commit_some_time(self, batch: list[Work]) -> None:
        pause = PAUSE_FIRST
        clock = asyncio.get_running_loop().time
        began = clock()
        for left in range(TRIES - 1, -1, -1):
            try:
                if self._writer is None or self._writer.is_closed():
                    await self._pool.expire_connections()
                    self._writer = await self._connect()
                if not await self._begin(batch):
                    return
                break
            except Exception as error:
                await self._undo(error)
                if not left or not (_ends_connection(error) or _lost_against_another(error)):
                    raise
            self._measures.retries()
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MOST)
        try:
            await self._writer.execute("COMMIT")
            self._measures.transaction(clock() - began)
            self._measures.works(len(batch))
        except Exception as error:
            await self._undo(error)
            if _ends_connection(error):
                self._measures.unknown()
                raise OutcomeUnknown(
                    f"the connection was lost at COMMIT: {str(error) or type(error).__name__}"
                ) from error
            raise

    async def _begin(self, batch: list[Work]) -> bool:
        """Run the works inside a transaction that is left open; false if there is nothing to commit."""
        if not batch:
            return False
        connection = self._writer
        cursor = PostgresCursor(connection)
        await connection.execute("BEGIN")
        if len(batch) == 1:
            return await self._run_alone(batch[0], cursor)
        opening = "SAVEPOINT work"
        for work in batch:
            await connection.execute(opening)
            work.error = None
            try:
                work.result = await run(work.run, cursor)
            except Exception as error:
                if _ends_connection(error) or _lost_against_another(error):
                    raise
                work.error = _translated(error)
                await connection.execute("ROLLBACK TO work")
            opening = "RELEASE work; SAVEPOINT work"
        return True

    async def _run_alone(self, work: Work, cursor: PostgresCursor) -> bool:
        work.error = None
        try:
            work.result = await run(work.run, cursor)
        except Exception as error:
            if _ends_connection(error) or _lost_against_another(error):
                raise
            work.error = _translated(error)
            await self._writer.execute("ROLLBACK")
            return False
        return True

    async def _undo(self, error: BaseException) -> None:
        """Leave no transaction open, nor a connection that failed."""
        connection = self._writer
        if connection is None:
            return
        if not _ends_connection(error):
            try:
                await connection.execute("ROLLBACK")
                return
            except Exception:  # noqa: S110 - then it goes the other way
                pass
        self._writer = None
        connection.terminate()

    # --- reading

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        """heavy: no difference here, the server does the work. A lost connection is made good by reading again."""
        pause = PAUSE_FIRST
        for left in range(TRIES - 1, -1, -1):
            if self._closed:
                raise DatabaseError("the database is closed")
            try:
                return await self._read(work)
            except Exception as error:
                if not left or not _ends_connection(error):
                    translated = _translated(error)
                    if translated is error:
                        raise
                    raise translated from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, PAUSE_MOST)
        raise AssertionError

    async def _read(self, work: Callable[[Cursor], T]) -> T:
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._pool.acquire(timeout=COMMAND_SECONDS) as connection:
            self._measures.pool_wait(clock() - asked)
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            try:
                return await run(work, PostgresCursor(connection))
            finally:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")

    # --- end

    async def close(self) -> None:
        """Finish the writes that wait, then disconnect."""
        if self._closed:
            return
        self._closed = True
        await self._works.finish()
        if self._pool is not None:
            await self._pool.close()
        if self._writer is not None:
            await self._writer.close()
