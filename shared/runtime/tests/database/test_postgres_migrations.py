"""Migrations in PostgreSQL: run at start, twice, by two at once, interrupted."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from barid_runtime.database import postgres_migrations as migrations
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.port import DatabaseError
from barid_runtime.database.snapshots import check

EXAMPLE = Path(__file__).parent / "example_migrations"
PACKAGE = "letters_migrations"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example that can be imported as `letters_migrations`, here and in the child process."""
    root = tmp_path / "code"
    shutil.copytree(EXAMPLE, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setenv("PYTHONPATH", str(root))
    yield root / PACKAGE
    sys.modules.pop(PACKAGE, None)


@pytest_asyncio.fixture
async def admin(postgres_server: EmbeddedPostgres) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(postgres_server.url())
    yield connection
    await connection.execute("DROP SCHEMA IF EXISTS letters CASCADE")
    await connection.close()


async def tables(admin: "asyncpg.Connection") -> set[str]:
    rows = await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'letters'")
    return {row[0] for row in rows}


async def test_a_new_schema_gets_the_newest_revision_and_the_second_start_does_nothing(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.url()
    await migrations.migrate(url, "letters", PACKAGE)
    assert {"letter", "alembic_version"} <= await tables(admin)
    assert await migrations.present(url, "letters") == "0002"

    monkeypatch.setattr(sys, "executable", "/bin/false")
    await migrations.migrate(url, "letters", PACKAGE)


async def test_a_snapshot_makes_a_new_schema_without_alembic_and_what_alembic_makes(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.url()
    await migrations.migrate(url, "letters", PACKAGE)
    made_by_alembic = await columns(admin)
    await admin.execute("DROP SCHEMA letters CASCADE")

    (package / migrations.SNAPSHOT).write_text(migrations.snapshot(PACKAGE))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    await asyncio.gather(*[migrations.migrate(url, "letters", PACKAGE) for _ in range(3)])
    assert await migrations.present(url, "letters") == "0002"
    assert await columns(admin) == made_by_alembic


async def test_a_stale_snapshot_is_ignored_and_reported(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection"
) -> None:
    (package / migrations.SNAPSHOT).write_text("-- revision 0001\nCREATE GIBBERISH;\n")
    await migrations.migrate(postgres_server.url(), "letters", PACKAGE)
    assert await migrations.present(postgres_server.url(), "letters") == "0002"
    assert [fault.partition(":")[0] for fault in check(PACKAGE)] == ["schema.postgres.sql is stale"]


async def columns(admin: "asyncpg.Connection") -> list[tuple[str, ...]]:
    rows = await admin.fetch(
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'letters' ORDER BY 1, 2"
    )
    indexes = await admin.fetch("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'letters' ORDER BY 1, 2")
    return [tuple(row) for row in [*rows, *indexes]]


async def test_replicas_that_start_at_once(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection"
) -> None:
    url = postgres_server.url()
    await asyncio.gather(*[migrations.migrate(url, "letters", PACKAGE) for _ in range(3)])
    assert await migrations.present(url, "letters") == "0002"


async def test_a_failing_migration_leaves_nothing_and_the_next_start_goes_on(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection"
) -> None:
    url = postgres_server.url()
    broken = package / "versions" / "0003_broken.py"
    broken.write_text(
        'from alembic import op\nrevision = "0003"\ndown_revision = "0002"\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (a int)")\n    op.execute("CREATE GIBBERISH")\n'
    )
    with pytest.raises(DatabaseError, match="GIBBERISH") as failure:
        await migrations.migrate(url, "letters", PACKAGE)
    assert url not in str(failure.value)
    assert await migrations.present(url, "letters") is None

    broken.unlink()
    await migrations.migrate(url, "letters", PACKAGE)
    assert await migrations.present(url, "letters") == "0002"


async def test_a_newer_schema_is_refused_in_words(
    package: Path, postgres_server: EmbeddedPostgres, admin: "asyncpg.Connection"
) -> None:
    url = postgres_server.url()
    await migrations.migrate(url, "letters", PACKAGE)
    await admin.execute("UPDATE letters.alembic_version SET version_num = '0009'")
    with pytest.raises(DatabaseError, match="newer than this program's 0002"):
        await migrations.migrate(url, "letters", PACKAGE)
