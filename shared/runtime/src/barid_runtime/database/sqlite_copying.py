"""Snapshots and drafts of SQLite files (`.copying`). What blocks, blocks in a thread."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import apsw

from .copying import ROWS
from .door import Place
from .migrations import migrate
from .port import DatabaseError, Row, Value
from .sqlite_connection import connect, translated

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
_BESIDE = ("-wal", "-shm", ".lock", ".migrating")
"""Files that stand beside an open one."""


async def open_snapshot(path: Path) -> "SqliteSnapshot":
    return await asyncio.to_thread(_open_snapshot, path)


def _open_snapshot(path: Path) -> "SqliteSnapshot":
    if not path.exists():
        raise DatabaseError(f"there is no {path}")
    connection = connect(path, "FULL", read_only=True)
    try:
        # A transaction sees the file as it was at its first statement, whatever others commit.
        connection.execute("BEGIN")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except apsw.Error as error:
        connection.close()
        raise translated(error, f"{path} can't be read") from error
    if row is None:
        connection.close()
        raise DatabaseError(f"{path} has no tables of ours")
    return SqliteSnapshot(path, connection, str(row[0]))


class SqliteSnapshot:
    def __init__(self, path: Path, connection: apsw.Connection, revision: str) -> None:
        self._path = path
        self._connection = connection
        self.revision = revision

    async def tables(self) -> dict[str, int]:
        names = [str(row[0]) for row in await self.all(_TABLES)]
        return {
            name: (await self.all(f'SELECT count(*) FROM "{name}"'))[0][0]  # noqa: S608 - names of our schema
            for name in names
            if name != "alembic_version"
        }

    async def columns(self, table: str) -> list[str]:
        return [str(row[0]) for row in await self.all(f"SELECT name FROM pragma_table_info('{table}')")]  # noqa: S608

    async def rows(self, table: str) -> AsyncIterator[Sequence[Sequence[Value]]]:
        try:
            cursor = self._connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of our schema
            while found := await asyncio.to_thread(_some, cursor):
                yield found
        except apsw.Error as error:
            raise translated(error, f"{self._path} can't be read") from error

    async def all(self, sql: str) -> list[Row]:
        try:
            return await asyncio.to_thread(lambda: self._connection.execute(sql).fetchall())
        except apsw.Error as error:
            raise translated(error, f"{self._path} can't be read") from error

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close, True)


def _some(cursor: apsw.Cursor) -> list[Row]:
    return [row for _, row in zip(range(ROWS), cursor, strict=False)]


async def open_draft(place: Place, package: str, revision: str) -> "SqliteDraft":
    draft = SqliteDraft(place)
    await draft.discard()
    await migrate(draft.place.file, package, to=revision)
    return draft


class SqliteDraft:
    def __init__(self, place: Place) -> None:
        self._file = place.file
        self.place = replace(place, file=place.file.with_name(place.file.name + ".draft"))

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterable[Sequence[Sequence[Value]]]) -> None:
        path = self.place.file
        # Nothing of it counts before `publish`, which syncs it.
        connection = await asyncio.to_thread(connect, path, "OFF", read_only=False)
        try:
            known = {row[0] for row in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")}  # noqa: S608
            if unknown := [name for name in columns if name not in known]:
                raise KeyError(f"{table} has no {', '.join(unknown)}")
            names = ", ".join(f'"{name}"' for name in columns)
            insert = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("BEGIN")
            async for some in rows:
                await asyncio.to_thread(connection.executemany, insert, some)
            connection.execute("COMMIT")
        except apsw.Error as error:
            raise translated(error, f"{path}: {table} can't be filled") from error
        finally:
            await asyncio.to_thread(connection.close, True)

    async def publish(self) -> None:
        await asyncio.to_thread(self._publish)

    def _publish(self) -> None:
        draft = self.place.file
        if self._file.exists():
            raise DatabaseError(f"{self._file} is there already")
        try:
            connection = connect(draft, "FULL", read_only=False)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close(True)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.rename(self._file)
            folder = os.open(draft.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except apsw.Error as error:
            raise translated(error, f"{draft} can't be finished") from error
        except OSError as error:
            raise DatabaseError(f"{draft} can't be finished: {error.strerror}") from error
        self._tidy()

    async def discard(self) -> None:
        await asyncio.to_thread(self._discard)

    def _discard(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.place.file.unlink()
        self._tidy()

    def _tidy(self) -> None:
        for ending in _BESIDE:
            self.place.file.with_name(self.place.file.name + ending).unlink(missing_ok=True)
