"""Whatever is written in whatever company: each work happens whole or not at all, in order, and readers never see half.

The model is a dictionary; works insert, change and delete, and some raise after they have begun.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_runtime.database.port import Cursor
from barid_runtime.database.sqlite import open_database


class GaveUp(Exception):
    """Raised by a work in its middle."""


@dataclass(frozen=True)
class Step:
    key: int
    value: int | None


@dataclass(frozen=True)
class Work:
    steps: tuple[Step, ...]
    fails: bool

    def __call__(self, cursor: Cursor) -> None:
        for step in self.steps:
            if step.value is None:
                cursor.execute("DELETE FROM t WHERE k = ?", (step.key,))
            else:
                cursor.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (step.key, step.value))
            # Left unread on purpose.
            cursor.execute("SELECT * FROM t")
        if self.fails:
            raise GaveUp

    def apply(self, model: dict[int, int]) -> None:
        for step in self.steps:
            if step.value is None:
                model.pop(step.key, None)
            else:
                model[step.key] = step.value


steps = st.builds(Step, st.integers(0, 5), st.none() | st.integers(0, 100))
works = st.builds(Work, st.lists(steps, max_size=4).map(tuple), st.booleans())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(works, min_size=1, max_size=6), max_size=5))
def test_works_are_whole_and_in_order(bursts: list[list[Work]]) -> None:
    async def play(path: Path) -> None:
        db = open_database(path, synchronous="OFF")
        await db.write(lambda cursor: cursor.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER)"))
        model: dict[int, int] = {}
        read: Callable[[Cursor], dict[int, int]] = lambda cursor: dict(cursor.all("SELECT k, v FROM t"))  # noqa: E731
        for burst in bursts:
            before = dict(model)
            writing = asyncio.gather(*[db.write(work) for work in burst], return_exceptions=True)
            await asyncio.sleep(0)
            during = await db.read(read)
            results = await writing
            assert [isinstance(result, GaveUp) for result in results] == [work.fails for work in burst]
            for work in burst:
                if not work.fails:
                    work.apply(model)
            # A burst is one transaction: all of it or nothing is seen.
            assert during in (before, model)
            assert await db.read(read) == await db.read(read, heavy=True) == model
        await db.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "t.db"))
