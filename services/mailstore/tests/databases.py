"""Databases of a real PostgreSQL, copied from one that was migrated once."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from barid_mailstore.adapters.tables.store import MIGRATIONS
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.postgres_migrations import migrate

SCHEMA = "mailstore"

_serial = itertools.count(1)


async def _run(server: EmbeddedPostgres, sql: str) -> None:
    admin = await asyncpg.connect(server.url())
    await admin.execute(sql)
    await admin.close()


async def a_template(server: EmbeddedPostgres) -> str:
    """Its name."""
    await _run(server, "CREATE DATABASE mailstore_template")
    await migrate(server.url("mailstore_template"), SCHEMA, MIGRATIONS)
    return "mailstore_template"


@contextmanager
def a_database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Its URL; it is gone afterwards, with whoever is still connected."""
    name = f"mailstore_{next(_serial)}"
    asyncio.run(_run(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    try:
        yield server.url(name)
    finally:
        asyncio.run(_run(server, f"DROP DATABASE {name} WITH (FORCE)"))
