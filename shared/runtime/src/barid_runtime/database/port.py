"""The database as services see it: one writer whose transactions share a commit, and readers on a snapshot."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

Dialect = Literal["sqlite", "postgres"]

Row = tuple[Any, ...]
Value = None | int | float | str | bytes

READERS = 4
"""Connections that read, of each process: handlers ask one question each, and more only queue in the server."""


class DatabaseError(Exception):
    """The database can't do it now (busy, full, gone): whoever asked says 4xx and tries again."""


class DatabaseAway(DatabaseError):
    """No server answers, or none that is ready yet: whoever starts waits for it, as for the bus."""


class DatabaseFull(DatabaseError):
    """No space left: nothing was changed."""


class OutcomeUnknown(DatabaseError):
    """It failed while it was being committed: it may have been done. After any other error it was not."""


class ValueRefused(ValueError):
    """A value that the database can't hold, now or ever: a text with half of a character (a lone surrogate), in
    PostgreSQL also one with NUL; a number of more than 64 bits. The text doesn't tell the value."""


class Cursor(Protocol):
    """What a work may do. SQL is written as SQLite takes it (`.statements`)."""

    @property
    def dialect(self) -> Dialect:
        """For the statements that can't be the same in both, or would be slow in one."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> Iterator[Row]:
        """Runs at once, even when the rows are not read."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None: ...

    def one(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        """The first row."""

    def all(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]: ...

    def changes(self) -> int:
        """Rows that the last statement changed."""


class Database(Protocol):
    async def write(self, work: Callable[[Cursor], T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        Works that wait at the same moment share one transaction and one sync, each behind a savepoint of its own:
        one that raises undoes only itself. `work` must not await. It is run again where its transaction was undone for
        no fault of its own, so what it remembers outside of the database must be checked against it.
        Raises DatabaseError, ValueRefused, and whatever `work` raises.
        """

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        """Run `work` on a snapshot; it can't write. heavy: more than about a millisecond, so not on the loop."""

    async def close(self) -> None: ...
