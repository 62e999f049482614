"""Works that wait at the same moment share one transaction: the queue before a database's one writer.

One commit is one wait for the disk, so while it is under way works queue up, and become the next transaction. No gather
delay is needed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .port import Cursor, DatabaseError, OutcomeUnknown

T = TypeVar("T")

BATCH_MOST = 512
"""Works in one transaction: bounds how long the first of them waits for the last, and, where they run inline, how long
the loop is held."""


class Work:
    """One `write` that waits. Whoever commits sets `result`, or the `error` of this work alone."""

    __slots__ = ("done", "error", "result", "run")

    def __init__(self, run: Callable[[Cursor], Any], done: asyncio.Future[Any]) -> None:
        self.run = run
        self.done = done
        self.result: Any = None
        self.error: BaseException | None = None


class Works:
    """commit: makes a batch durable in one transaction, perhaps an empty one. What it raises becomes the error of all
    its works that have none of their own."""

    def __init__(self, commit: Callable[[list[Work]], Awaitable[None]]) -> None:
        self._commit = commit
        self._waiting: deque[Work] = deque()
        self._pump: asyncio.Task[None] | None = None

    def add(self, run: Callable[[Cursor], T]) -> asyncio.Future[T]:
        """Its result, once that is durable."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Work(run, done))
        if self._pump is None or self._pump.done():
            # Starts at the next turn of the loop, so works of this turn come into one transaction.
            self._pump = loop.create_task(self._run())
        return done

    async def finish(self) -> None:
        """Until none waits."""
        if self._pump is not None:
            await asyncio.wait([self._pump])

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MOST, len(self._waiting)))]
            # Whoever was cancelled before it began need not happen.
            batch = [work for work in batch if not work.done.cancelled()]
            try:
                await self._commit(batch)
            except asyncio.CancelledError:
                # The loop is being torn down around us, with a commit perhaps under way.
                _fail(batch, OutcomeUnknown("cancelled: it may have been committed"))
                raise
            except Exception as error:
                _fail(batch, error)
            except BaseException:
                _fail(batch, DatabaseError("a work ended the process"))
                raise
            else:
                _settle(batch)


def _fail(batch: list[Work], failure: BaseException) -> None:
    for work in batch:
        if work.error is None:
            work.error = failure
    _settle(batch)


def _settle(batch: list[Work]) -> None:
    for work in batch:
        if work.done.done():
            continue
        if work.error is None:
            work.done.set_result(work.result)
        else:
            work.done.set_exception(work.error)
