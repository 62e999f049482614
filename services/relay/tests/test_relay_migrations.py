"""The schema: its migrations are in order, and the snapshot is what they lead to."""

from barid_relay.adapters.doors import MIGRATIONS
from barid_runtime.database.snapshots import check


def test_migrations() -> None:
    assert check(MIGRATIONS) == []
