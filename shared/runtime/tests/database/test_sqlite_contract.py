"""SQLite does what every database must."""

from collections.abc import Callable

import pytest

from barid_runtime.database.sqlite import SqliteDatabase
from barid_testing.contracts.database import DatabaseContract


class TestSqliteDatabase(DatabaseContract):
    @pytest.fixture
    def db(self, database: Callable[[], SqliteDatabase]) -> SqliteDatabase:
        return database()
