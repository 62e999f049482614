"""Migrations: run at start, twice, by two at once, interrupted; and what checks them."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from barid_runtime.database import migrations, snapshots
from barid_runtime.database.port import DatabaseError

EXAMPLE = Path(__file__).parent / "example_migrations"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example that can be imported as `letters_migrations`, here and in the child process."""
    root = tmp_path / "code"
    shutil.copytree(EXAMPLE, root / "letters_migrations", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setenv("PYTHONPATH", str(root))
    yield root / "letters_migrations"
    sys.modules.pop("letters_migrations", None)


def tables(path: Path) -> set[str]:
    connection = apsw.Connection(str(path))
    try:
        return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema")}
    finally:
        connection.close()


async def test_a_new_file_gets_the_newest_schema_and_the_second_start_costs_nothing(
    package: Path, tmp_path: Path
) -> None:
    path = tmp_path / "letters.db"
    await migrations.migrate(path, "letters_migrations")
    assert {"letter", "letter_size"} <= tables(path)
    assert migrations.present(path) == "0002" == migrations.newest("letters_migrations")

    started = time.perf_counter()
    await migrations.migrate(path, "letters_migrations")
    assert time.perf_counter() - started < 0.1
    assert migrations.present(path) == "0002"


async def test_two_processes_at_once(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    command = [sys.executable, "-m", "barid_runtime.database.migrations", str(path), "letters_migrations"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, output = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, output.decode()
    assert migrations.present(path) == "0002"


async def test_a_failing_migration_is_undone_alone_and_the_next_start_goes_on(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    broken = package / "versions" / "0003_broken.py"
    broken.write_text(
        'from alembic import op\nrevision = "0003"\ndown_revision = "0002"\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (a)")\n    op.execute("CREATE GIBBERISH")\n'
    )
    with pytest.raises(DatabaseError, match="GIBBERISH"):
        await migrations.migrate(path, "letters_migrations")
    assert "half" not in tables(path)
    assert migrations.present(path) == "0002"

    broken.unlink()
    await migrations.migrate(path, "letters_migrations")
    assert migrations.present(path) == "0002"


async def test_a_newer_file_is_refused_in_words(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    await migrations.migrate(path, "letters_migrations")
    (package / "versions" / "0002_letters_have_a_size.py").unlink()
    with pytest.raises(DatabaseError, match="newer than this program's 0001"):
        await migrations.migrate(path, "letters_migrations")


async def test_a_snapshot_makes_a_new_file_without_alembic(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "schema.sql").write_text(migrations.snapshot("letters_migrations"))
    assert snapshots.check("letters_migrations") == []

    async def no_process(*arguments: object, **options: object) -> None:
        raise AssertionError("Alembic was started")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    path = tmp_path / "quick.db"
    started = time.perf_counter()
    await migrations.migrate(path, "letters_migrations")
    assert time.perf_counter() - started < 0.25
    assert migrations.present(path) == "0002"
    assert {"letter", "letter_size"} <= tables(path)
    await migrations.migrate(path, "letters_migrations")


async def test_a_stale_snapshot_is_ignored_and_reported(package: Path, tmp_path: Path) -> None:
    (package / "schema.sql").write_text("-- revision 0001\nCREATE TABLE wrong (a);\n")
    path = tmp_path / "letters.db"
    await migrations.migrate(path, "letters_migrations")
    assert "wrong" not in tables(path)
    assert migrations.present(path) == "0002"
    (fault,) = snapshots.check("letters_migrations")
    assert "stale" in fault


def test_check_names_what_is_wrong(package: Path) -> None:
    assert snapshots.check("letters_migrations") == []
    (package / "versions" / "0003_orphan.py").write_text(
        'revision = "0003"\ndown_revision = "0001"\ndef upgrade():\n    pass\n'
    )
    assert snapshots.check("letters_migrations") == ["0003_orphan.py: down_revision must be '0002'"]
