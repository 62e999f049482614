"""Plain functions over a database that must be waited for.

A work is a plain function: on SQLite a statement costs microseconds, and an `await` for each would cost as much again.
PostgreSQL is waited for, so there a work runs in a greenlet, and each statement hands its awaitable to the task that
drives it (2 µs a statement, beside a round trip of 70 µs and more). The rejected alternative, works as coroutines,
would make every function between a handler and a statement a coroutine, on SQLite too.
"""

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


def wait(awaitable: Awaitable[T]) -> T:
    """Inside a work only: the result of what is waited for, or what it raised."""
    parent = getcurrent().parent
    assert parent is not None, "only a work may wait"
    result: T = parent.switch(awaitable)
    return result


async def run(work: Callable[..., T], *arguments: Any) -> T:
    """Run a work that may `wait`. Cancelling us raises CancelledError at the place where it waits."""
    task = greenlet(work)
    task.gr_context = contextvars.copy_context()
    step: Any = task.switch(*arguments)
    while not task.dead:
        try:
            value = await step
        except BaseException as error:
            step = task.throw(error)
        else:
            step = task.switch(value)
    result: T = step
    return result
