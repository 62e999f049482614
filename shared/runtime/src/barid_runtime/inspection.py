"""What a replica stands on and holds, looked at when an operator asks. Whatever does not answer in time is said to be
so: a dead database or bucket is what the question is for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from barid_contracts.status import DatabaseState, Findings, Lease, ObjectsState

from .database.port import Cursor, Database, DatabaseError
from .journal.puts import Puts
from .logging import get_logger
from .objects.port import ObjectError

LOOK_SECONDS = 1.0
"""For each part; all are looked at side by side."""

_SILENT = f"no answer within {LOOK_SECONDS:g} s"

# An idle client has no transaction; a vacuum is none of ours. Of other users' sessions only the number is seen, unless
# our role is a member of pg_read_all_stats.
_POSTGRES = """
SELECT NOT pg_is_in_recovery(),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  CAST(current_setting('max_connections') AS BIGINT),
  (SELECT CAST(coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) * 1000 AS BIGINT)
     FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
  coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'local socket') || '/' || current_database()
"""

T = TypeVar("T")

log = get_logger("inspection")


@runtime_checkable
class Inspected(Protocol):
    """A service that has something to tell."""

    async def inspect(self) -> Findings: ...


@runtime_checkable
class InBucket(Protocol):
    """A journal in a bucket; isinstance tells it from one in a directory."""

    @property
    def puts(self) -> Puts: ...

    async def reach(self) -> None:
        """Returns when the store has answered anything. Raises ObjectError."""


async def inspected(
    *,
    database: Database | None = None,
    place: str = "",
    journal: object = None,
    holder: str = "",
    leases: Callable[[Cursor], Sequence[Lease]] | None = None,
) -> Findings:
    """place: where the database is, as it may be shown; a server that answers tells by itself. journal: one in a bucket
    is asked, another is none of ours. leases: read from the database. Raises nothing."""
    bucket = journal if isinstance(journal, InBucket) else None
    state, objects, held = await asyncio.gather(
        _database(database, place) if database is not None else _nothing(),
        _objects(bucket) if bucket is not None else _nothing(),
        _leases(database, leases) if database is not None and leases is not None else _nothing(),
    )
    return Findings(holder=holder, leases=list(held or ()), database=state, objects=objects)


async def _nothing() -> None:
    return None


async def _database(database: Database, where: str) -> DatabaseState:
    def look(cursor: Cursor) -> tuple[object, ...] | None:
        return cursor.one(_POSTGRES) if cursor.dialect == "postgres" else cursor.one("SELECT 1")

    began = time.perf_counter()
    problem, row = await _within(database.read(look))
    if problem:
        return DatabaseState(place=where, problem=problem)
    took = round((time.perf_counter() - began) * 1e6)
    if row is None or len(row) == 1:
        return DatabaseState(place=where, microseconds=took, primary=True)
    primary, connections, most, oldest, place = row
    return DatabaseState(
        place=str(place),
        microseconds=took,
        primary=bool(primary),
        connections=int(str(connections)),
        connections_most=int(str(most)),
        oldest_transaction_ms=int(str(oldest)),
    )


async def _leases(database: Database, leases: Callable[[Cursor], Sequence[Lease]]) -> Sequence[Lease]:
    # In a thread where it is a file: a long queue takes more than a moment.
    problem, found = await _within(database.read(leases, heavy=True))
    if problem:
        log.warning("leases can't be read", reason=problem)
    return found or ()


async def _objects(bucket: InBucket) -> ObjectsState:
    began = time.perf_counter()
    problem, _ = await _within(bucket.reach())
    puts = bucket.puts
    return ObjectsState(
        place=puts.place,
        problem=problem,
        microseconds=None if problem else round((time.perf_counter() - began) * 1e6),
        last_put=None if puts.last_at is None else int(puts.last_at * 1000),
        last_put_ms=None if puts.last_at is None else round(puts.last_seconds * 1000),
        retries=puts.retries,
    )


async def _within(asked: Awaitable[T]) -> tuple[str, T | None]:
    """What is wrong, and the answer."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return "", await asked
    except TimeoutError:
        return _SILENT, None
    except (DatabaseError, ObjectError) as error:
        return str(error), None
    except Exception:
        log.exception("inspection failed")
        return "failed; see the log", None
