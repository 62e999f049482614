"""A service's tables as a whole, for backup and restore: read on a snapshot, and filled while nobody uses them.

What is read is neutral: rows of Python's values, in columns with names. So what was read from a file can be filled into
a schema of PostgreSQL, and the other way.

    snapshot    all tables as they were at one instant, while others go on writing. A long one makes the log of a file
                grow, and keeps PostgreSQL from cleaning up behind it
    draft       tables that are filled beside the place where they will stand: a file with `.draft` behind its name, a
                schema with `_draft`. `publish` renames them there, whole or not at all. A crash leaves a draft, which
                the next one throws away
"""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from .door import Place
from .port import Row, Value

ROWS = 500
"""Of one slice: a mail's row has 3 KB."""


class Snapshot(Protocol):
    """Raises DatabaseError."""

    @property
    def revision(self) -> str:
        """Of the schema."""

    async def tables(self) -> dict[str, int]:
        """Names and numbers of rows; without what only the database itself uses."""

    async def columns(self, table: str) -> list[str]: ...

    def rows(self, table: str) -> AsyncIterator[Sequence[Sequence[Value]]]:
        """All of a table, in slices, in the order of `columns`."""

    async def all(self, sql: str) -> list[Row]: ...

    async def close(self) -> None: ...


class Draft(Protocol):
    """Raises DatabaseError; KeyError for columns that the table does not have."""

    @property
    def place(self) -> Place:
        """Where it stands until it is published: to be opened as any other."""

    async def fill(self, table: str, columns: Sequence[str], rows: AsyncIterable[Sequence[Sequence[Value]]]) -> None:
        """Values become what the columns take: 0 and 1 booleans and back; a NUL in text a space, on PostgreSQL."""

    async def publish(self) -> None:
        """Nobody may have it open. The place must still be empty."""

    async def discard(self) -> None:
        """Idempotent; after `publish` it does nothing."""
