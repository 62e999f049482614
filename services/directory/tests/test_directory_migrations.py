"""The schema of directory.db can be made and brought up to date."""

from barid_runtime.database.snapshots import check


def test_migrations_are_in_line_and_the_snapshot_is_theirs() -> None:
    assert check("barid_directory.adapters.migrations") == []
