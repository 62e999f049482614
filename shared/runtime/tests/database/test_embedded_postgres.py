"""The PostgreSQL that is brought along, where it ends otherwise than by `stop`."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from barid_runtime.database.embedded import EmbeddedPostgres


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: it is closed to the user that root's PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="barid-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "postgres"


async def test_a_killed_server_that_nobody_has_reaped_does_not_keep_the_next_from_starting(folder: Path) -> None:
    """As where `barid up` was killed, too, and process 1 takes its time."""
    killed = EmbeddedPostgres(folder)
    await killed.start()
    session = await asyncpg.connect(killed.url())
    await session.execute("CREATE TABLE kept (n INT)")
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)  # and nobody waits for it
    after = EmbeddedPostgres(folder)
    try:
        await after.start()
        session = await asyncpg.connect(after.url())
        assert await session.fetch("SELECT * FROM kept") == []
        await session.close()
    finally:
        await after.stop()
        await killed.stop()
