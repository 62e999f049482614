"""PostgreSQL does what every database must."""

from collections.abc import Awaitable, Callable

import pytest_asyncio

from barid_runtime.database.postgres import PostgresDatabase
from barid_testing.contracts.database import DatabaseContract


class TestPostgresDatabase(DatabaseContract):
    bytes_type = "BYTEA"

    @pytest_asyncio.fixture
    async def db(self, postgres: Callable[..., Awaitable[PostgresDatabase]]) -> PostgresDatabase:
        return await postgres()
