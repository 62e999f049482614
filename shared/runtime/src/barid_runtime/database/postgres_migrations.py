"""The same migrations (`.migrations` says how they are declared) in a schema of PostgreSQL.

Run at each start of each replica, rather than as a Job: a replica of the new release can't serve an old schema, so it
would have to wait for that Job anyway. Replicas that start at once take turns by an advisory lock, and those behind
the first find nothing left to do. All migrations of a start and their `alembic_version` are one transaction.

As on SQLite, a new schema is made from a snapshot, and else Alembic runs in a process of its own and only when there is
something to do. The URL, which holds the password, is handed to it on its standard input.
"""

import asyncio
import io
import sys
from typing import Any

import asyncpg

from .migrations import SNAPSHOT_HEAD, STDERR_MOST, folder_of, newest, snapshot_at_hand
from .port import DatabaseError
from .postgres import CONNECT_SECONDS, place_of, unusable

_LOCK = 0x6261726964
"""Of all schemas: migrations are rare, and two services that wait for each other are not worth a second number."""

SNAPSHOT = "schema.postgres.sql"

_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def present(url: str, schema: str) -> str | None:
    """The revision of the schema; None if it is new. Raises DatabaseError."""
    try:
        connection = await _connect(url)
        try:
            return await _revision(connection, schema)
        finally:
            await connection.close()
    except _FAILURES as error:
        raise unusable(url, error) from error


async def _revision(connection: Any, schema: str) -> str | None:
    if await connection.fetchval("SELECT to_regclass($1)", f'"{schema}".alembic_version') is None:
        return None
    version = await connection.fetchval(f'SELECT version_num FROM "{schema}".alembic_version')  # noqa: S608
    return None if version is None else str(version)


async def _connect(url: str, **settings: str) -> Any:
    return await asyncpg.connect(
        url, timeout=CONNECT_SECONDS, target_session_attrs="read-write", server_settings=settings
    )


async def migrate(url: str, schema: str, package: str, *, to: str = "") -> None:
    """Bring the schema to the newest revision, or to a certain one. Raises DatabaseError; nothing is half done then."""
    needed, found = to or newest(package), await present(url, schema)
    if found == needed:
        return
    if found is not None and found > needed:
        raise DatabaseError(
            f"schema {schema} is of revision {found}, newer than this program's {needed}: run the newer program, or"
            " restore"
        )
    if found is None and await _from_snapshot(url, schema, package, needed):
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, schema, package, needed,
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, output = await process.communicate(url.encode())
    if process.returncode != 0:
        text = output.decode("utf-8", "replace").strip()[-STDERR_MOST:].replace(url, place_of(url))
        raise DatabaseError(f"migration of schema {schema} to {needed} failed: {text}")


async def _from_snapshot(url: str, schema: str, package: str, needed: str) -> bool:
    """Whether the schema is of that revision now: there is a fitting snapshot, or another replica was quicker."""
    script = snapshot_at_hand(package, needed, SNAPSHOT)
    if script is None:
        return False
    try:
        connection = await _connect(url, search_path=schema, application_name="barid migrations")
        try:
            async with connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
                if (found := await _revision(connection, schema)) is not None:
                    return found == needed
                # Not IF NOT EXISTS: that asks for the right to make it, also where somebody made it for us.
                if await connection.fetchval("SELECT to_regnamespace($1)", f'"{schema}"') is None:
                    await connection.execute(f'CREATE SCHEMA "{schema}"')
                await connection.execute(script)
        finally:
            await connection.close()
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"schema {schema} can't be made at {place_of(url)}: {error}; let our role make it"
            " (GRANT CREATE ON DATABASE), or make it for that role (CREATE SCHEMA … AUTHORIZATION)"
        ) from error
    except _FAILURES as error:
        raise unusable(url, error) from error
    return True


def snapshot(package: str) -> str:
    """The text of SNAPSHOT: what Alembic would say to a server. So migrations must not ask it anything."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    needed, said = newest(package), io.StringIO()
    config = Config()
    config.set_main_option("script_location", str(folder_of(package)).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs(needed, revision)

    with EnvironmentContext(config, script, fn=steps, as_sql=True) as environment:
        environment.configure(dialect_name="postgresql", output_buffer=said)
        environment.run_migrations()
    lines = (line.rstrip() for line in said.getvalue().strip().splitlines())
    return f"{SNAPSHOT_HEAD}{needed}\n" + "\n".join(lines) + "\n"


# --- in the process of its own


async def _upgrade(url: str, schema: str, package: str, to: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def connect() -> Any:
        return await _connect(url, search_path=schema, application_name="barid migrations")

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
        await connection.run_sync(_run, package, to)
    await engine.dispose()


def _run(connection: Any, package: str, to: str) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(folder_of(package)).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs(to, revision)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def _main(arguments: list[str]) -> int:
    if len(arguments) != 3:
        print(f"usage: python -m {__spec__.name} SCHEMA PACKAGE REVISION < URL", file=sys.stderr)  # noqa: T201
        return 2
    asyncio.run(_upgrade(sys.stdin.read().strip(), *arguments))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
