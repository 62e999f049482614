"""`schema.sql` and `schema.postgres.sql` of a package's migrations: made, and held against what makes them.

python -m barid_runtime.database.snapshots PACKAGE
"""

import sys

from . import migrations, postgres_migrations
from .migrations import VERSION_FILE, folder_of

KINDS = (
    (migrations.SNAPSHOT, migrations.snapshot),
    (postgres_migrations.SNAPSHOT, postgres_migrations.snapshot),
)
"""File names, and what they hold."""


def check(package: str) -> list[str]:
    """What is wrong with a package's migrations; for its test. Runs Alembic in this process."""
    from alembic.script import ScriptDirectory

    faults = []
    folder = folder_of(package)
    revisions = {r.revision: r for r in ScriptDirectory(str(folder)).walk_revisions()}
    before = None
    for name in sorted(path.name for path in (folder / "versions").glob("*.py")):
        match = VERSION_FILE.match(name)
        if name == "__init__.py":
            continue
        if match is None or match[1] not in revisions:
            faults.append(f"{name}: the name must be NNNN_what.py, and its `revision` NNNN")
            continue
        if revisions[match[1]].down_revision != before:
            faults.append(f"{name}: down_revision must be {before!r}")
        before = match[1]
    for name, make in KINDS:
        if not faults and (folder / name).exists() and (folder / name).read_text() != make(package):
            faults.append(f"{name} is stale: python -m {__name__} {package}")
    return faults


def _main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(f"usage: python -m {__spec__.name} PACKAGE", file=sys.stderr)  # noqa: T201
        return 2
    for name, make in KINDS:
        (folder_of(arguments[0]) / name).write_text(make(arguments[0]))
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
