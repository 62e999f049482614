"""The door to the index: units of work, each atomic and durable when `write` returns, and reads on a snapshot."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from .unit import Unit

T = TypeVar("T")


class Index(Protocol):
    """All that the mailstore changes passes through here, so what is remembered can be trusted."""

    async def write(self, work: Callable[[Unit], T], accounts: Iterable[str] = ()) -> Commit[T]:
        """accounts: all that `work` may ask for, by their ids. It may be run more than once.

        Raises Refused, DatabaseError.
        """

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T: ...


def commit_of(unit: Unit, result: T) -> Commit[T]:
    crossed = unit.crossed
    return Commit(
        result,
        list(unit.deltas.values()),
        [uuid for uuid, over in crossed.items() if over] if crossed else [],
        [uuid for uuid, over in crossed.items() if not over] if crossed else [],
        unit.strangers,
        unit.outbox,
        unit.doomed,
    )
