"""Where a service's tables stand: in a file of its own, or in a schema of the cluster's PostgreSQL.

The drivers are imported when they are needed: a process of one size does not pay for the other.
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .port import READERS, Database


@dataclass(frozen=True, slots=True)
class Place:
    """url: of PostgreSQL; empty: the file."""

    file: Path
    url: str = field(default="", repr=False)
    schema: str = ""
    readers: int = READERS

    @property
    def shown(self) -> str:
        """The file's name, or hosts and database; never the password."""
        parts = urlsplit(self.url)
        return parts.netloc.rpartition("@")[2] + parts.path if self.url else self.file.name


async def open_at(place: Place, migrations: str) -> Database:
    """The database, its schema brought up to the newest of the package `migrations`. Raises DatabaseError."""
    if place.url:
        from . import postgres_migrations
        from .postgres import open_postgres

        await postgres_migrations.migrate(place.url, place.schema, migrations)
        return await open_postgres(place.url, schema=place.schema, name=f"barid {place.schema}", readers=place.readers)
    from .migrations import migrate
    from .sqlite import open_database

    await migrate(place.file, migrations)
    return open_database(place.file)
