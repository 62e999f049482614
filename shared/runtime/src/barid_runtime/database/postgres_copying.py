"""Snapshots and drafts of schemas of PostgreSQL (`.copying`). Rows come by a cursor and go by binary COPY."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import asyncpg

from .copying import ROWS
from .door import Place
from .port import DatabaseError, Row, Value
from .postgres import CONNECT_SECONDS, place_of
from .postgres_migrations import migrate

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'alembic_version' ORDER BY tablename"
_COLUMNS = (
    "SELECT column_name, data_type, pg_get_serial_sequence(format('%I.%I', table_schema, table_name), column_name)"
    " FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position"
)


_DRAFT = "_draft"
"""Behind a schema's name."""


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or type(error).__name__
        raise DatabaseError(f"PostgreSQL at {place_of(url)} can't be used: {reason}") from error


async def _connect(place: Place, what: str, attributes: str) -> Any:
    with _translated(place.url):
        return await asyncpg.connect(
            place.url,
            timeout=CONNECT_SECONDS,
            target_session_attrs=attributes,
            server_settings={"application_name": f"barid {what}"},
        )


async def open_snapshot(place: Place) -> "PostgresSnapshot":
    connection = await _connect(place, "backup", "any")
    try:
        with _translated(place.url):
            await connection.execute(f'SET search_path TO "{place.schema}"')
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
                raise DatabaseError(f"there is no schema {place.schema} of ours at {place_of(place.url)}")
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    except BaseException:
        connection.terminate()
        raise
    return PostgresSnapshot(place, connection, str(revision))


class PostgresSnapshot:
    def __init__(self, place: Place, connection: Any, revision: str) -> None:
        self._place = place
        self._connection = connection
        self.revision = revision

    async def tables(self) -> dict[str, int]:
        with _translated(self._place.url):
            names = [row[0] for row in await self._connection.fetch(_TABLES, self._place.schema)]
            return {
                name: await self._connection.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - of our schema
                for name in names
            }

    async def columns(self, table: str) -> list[str]:
        with _translated(self._place.url):
            return [row[0] for row in await self._connection.fetch(_COLUMNS, self._place.schema, table)]

    async def rows(self, table: str) -> AsyncIterator[Sequence[Sequence[Value]]]:
        with _translated(self._place.url):
            cursor = await self._connection.cursor(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of our schema
            while found := await cursor.fetch(ROWS):
                yield [tuple(row) for row in found]

    async def all(self, sql: str) -> list[Row]:
        with _translated(self._place.url):
            return [tuple(row) for row in await self._connection.fetch(sql)]

    async def close(self) -> None:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.close()


async def holds_rows(place: Place, without: Sequence[str]) -> bool:
    async with _connected(place) as connection:
        names = [row[0] for row in await connection.fetch(_TABLES, place.schema)]
        for name in names:
            if name not in without and await connection.fetchval(
                f'SELECT EXISTS (SELECT 1 FROM "{place.schema}"."{name}")'  # noqa: S608 - names of our schema
            ):
                return True
        return False


async def is_in_use(place: Place) -> bool:
    async with _connected(place) as connection:
        # As `.door.open_at` names its connections.
        asked = (
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database())"
        )
        return bool(await connection.fetchval(asked, f"barid {place.schema}"))


async def open_draft(place: Place, package: str, revision: str) -> "PostgresDraft":
    draft = PostgresDraft(place)
    await draft.discard()
    await migrate(place.url, draft.place.schema, package, to=revision)
    return draft


async def publish(drafts: Sequence[Place]) -> None:
    """Of one database, and in one transaction: a service that starts meanwhile sees all of them or none."""
    async with _connected(drafts[0]) as connection, connection.transaction():
        for place in drafts:
            schema = place.schema.removesuffix(_DRAFT)
            await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            await connection.execute(f'ALTER SCHEMA "{place.schema}" RENAME TO "{schema}"')


class PostgresDraft:
    """publish: what stood in the place, empty tables at most, is thrown away."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.place = replace(place, schema=f"{place.schema}{_DRAFT}")

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterable[Sequence[Sequence[Value]]]) -> None:
        schema = self.place.schema
        async with _connected(self.place) as connection, connection.transaction():
            known = {name: (kind, sequence) for name, kind, sequence in await connection.fetch(_COLUMNS, schema, table)}
            if unknown := [name for name in columns if name not in known]:
                raise KeyError(f"{table} has no {', '.join(unknown)}")
            as_taken = _converter([known[name][0] for name in columns])

            async for some in rows:
                await connection.copy_records_to_table(
                    table, schema_name=schema, columns=list(columns), records=[as_taken(row) for row in some]
                )
            for name, (_, sequence) in known.items():
                if sequence is not None:
                    await connection.execute(
                        f'SELECT setval(\'{sequence}\', (SELECT max("{name}") FROM "{schema}"."{table}"))'  # noqa: S608
                    )

    async def publish(self) -> None:
        await publish([self.place])

    async def discard(self) -> None:
        async with _connected(self._place) as connection:
            await connection.execute(f'DROP SCHEMA IF EXISTS "{self.place.schema}" CASCADE')


def _converter(kinds: Sequence[str]) -> Callable[[Sequence[Value]], Sequence[Value]]:
    booleans = [kind == "boolean" for kind in kinds]

    def convert(row: Sequence[Value]) -> list[Value]:
        return [
            bool(value)
            if boolean and value is not None
            else value.replace("\0", " ")
            if isinstance(value, str)
            else value
            for value, boolean in zip(row, booleans, strict=True)
        ]

    return convert


@asynccontextmanager
async def _connected(place: Place) -> AsyncIterator[Any]:
    connection = await _connect(place, "restore", "read-write")
    try:
        with _translated(place.url):
            yield connection
    finally:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.close()
