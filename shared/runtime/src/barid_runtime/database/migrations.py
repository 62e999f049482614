"""Schema migrations, by Alembic, at a service's start.

How a service declares them: a package, by custom called `barid_<service>.adapters.migrations`, with

- `versions/NNNN_what.py`: Alembic migrations in one line, `revision = "NNNN"` as in the file's name and
  `down_revision` the one before (None for the first); `upgrade()` uses `op.execute(…)` or `op.create_table(…)`.
- `schema.sql` and `schema.postgres.sql` (optional): what all of them lead to, made by
  `python -m barid_runtime.database.snapshots <package>`. A new file, or schema, is made from it in some milliseconds
  instead of the second that Alembic takes. It says its revision and is ignored unless that is the newest.

and a test that calls `snapshots.check(package)`, which says what is wrong with them. Then, in `start`, before
`open_database`: `await migrate(path, package)`.

The newest revision is read from the file names, the present one from the table `alembic_version`: when they agree,
nothing is imported and nothing done. Otherwise Alembic runs in a process of its own, so that it and SQLAlchemy (30 MB)
stay out of the service. Each migration is one transaction with its `alembic_version`; a crash leaves it done or not
begun. Two processes at once: one waits for the other (a lock beside the file), and finds nothing left to do.
"""

import asyncio
import contextlib
import fcntl
import importlib.resources
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from .port import DatabaseError

VERSION_FILE = re.compile(r"^(\d{4})_\w+\.py$")
SNAPSHOT = "schema.sql"
SNAPSHOT_HEAD = "-- revision "

STDERR_MOST = 2_000
"""Characters of a failed migration's output that are passed on: its end names the cause."""


def folder_of(package: str) -> Path:
    """Where the package's migrations stand."""
    return Path(str(importlib.resources.files(package)))


def newest(package: str) -> str:
    """The revision that the code at hand needs. Raises DatabaseError if the package has no migrations."""
    versions = (folder_of(package) / "versions").iterdir()
    found = [match[1] for path in versions if (match := VERSION_FILE.match(path.name))]
    if not found:
        raise DatabaseError(f"{package} has no migrations")
    return max(found)


def present(path: Path) -> str | None:
    """The revision of the file; None if it is new."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5_000)
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
        finally:
            connection.close()
    except apsw.Error as error:
        raise DatabaseError(f"{path} can't be read: {error}") from error


async def migrate(path: Path, package: str, *, to: str = "") -> None:
    """Bring the file to the newest revision, or to a certain one. Raises DatabaseError; nothing is half done then."""
    needed, found = to or newest(package), present(path)
    if found == needed:
        return
    if found is not None and found > needed:
        raise DatabaseError(
            f"{path} is of revision {found}, newer than this program's {needed}: run the newer program, or restore"
        )
    if found is None and _from_snapshot(path, package, needed):
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(path), package, needed, stderr=asyncio.subprocess.PIPE
    )
    _, output = await process.communicate()
    if process.returncode != 0:
        text = output.decode("utf-8", "replace").strip()[-STDERR_MOST:]
        raise DatabaseError(f"migration of {path} to {needed} failed: {text}")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While one of many that start at once migrates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + ".migrating"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def snapshot_at_hand(package: str, needed: str, name: str = SNAPSHOT) -> str | None:
    """The text of such a file if it is of that revision."""
    try:
        text = (folder_of(package) / name).read_text()
    except FileNotFoundError:
        return None
    return text if text.startswith(f"{SNAPSHOT_HEAD}{needed}\n") else None


def _from_snapshot(path: Path, package: str, needed: str) -> bool:
    script = snapshot_at_hand(package, needed)
    if script is None:
        return False
    with _alone(path):
        if present(path) is not None:
            # Somebody was quicker; Alembic looks whether it is all there.
            return present(path) == needed
        connection = apsw.Connection(str(path))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            if connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                # Not new, but not ours either: let Alembic try, and say what is in its way.
                return False
            with connection:
                connection.execute(script)
        except apsw.Error as error:
            raise DatabaseError(f"{path} can't be made: {error}") from error
        finally:
            connection.close()
    return True


# --- in the process of its own


def _upgrade(path: Path, package: str, to: str = "head") -> None:
    """Run Alembic. Each migration and its version row are one transaction: pysqlite would commit before DDL."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, event

    config = Config()
    config.set_main_option("script_location", str(folder_of(package)).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs(to, revision)

    with _alone(path), engine.connect() as connection, EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True, transaction_per_migration=True)
        with environment.begin_transaction():
            environment.run_migrations()
    engine.dispose()


def _schema(path: Path) -> list[str]:
    """All statements that made the file's schema, tables before what hangs on them, without SQLite's own."""
    connection = apsw.Connection(str(path))
    try:
        rows = connection.execute(
            "SELECT name, sql, type FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        ).fetchall()
        # Shadow tables of virtual tables are made by their owner.
        virtual = [str(name) for name, sql, _ in rows if str(sql).upper().startswith("CREATE VIRTUAL")]
        own = [row for row in rows if not any(str(row[0]).startswith(f"{owner}_") for owner in virtual)]
        own.sort(key=lambda row: row[2] != "table")
        return [str(sql) for _, sql, _ in own]
    finally:
        connection.close()


def _fresh(package: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        _upgrade(path, package)
        return _schema(path)


def snapshot(package: str) -> str:
    """The text of `schema.sql`. Data that migrations insert is not in it: such a package goes without."""
    needed = newest(package)
    statements = ";\n\n".join(_fresh(package))
    return f"{SNAPSHOT_HEAD}{needed}\n{statements};\n\nINSERT INTO alembic_version VALUES ('{needed}');\n"


def _main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        print(f"usage: python -m {__spec__.name} FILE PACKAGE [REVISION]", file=sys.stderr)  # noqa: T201
        return 2
    _upgrade(Path(arguments[0]), *arguments[1:])
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
