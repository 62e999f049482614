"""Changes that must not be done twice, asked for until their outcome is known.

A client that hears NO may do it again (RFC 3501 §6.3.11, §6.4.7), so NO is said only of what was not done and will not
be. An answer may be lost: the mailstore is killed between its commit and its answer, the bus goes away. Then we ask
again with the same key, and hear what was done, or that it is too late for it. Which answers count:

| | nobody may have the request but whoever answered | an earlier copy of it got no answer |
|---|---|---|
| done | it is | it is: keys are looked up first |
| `unknown` | ask again | ask again |
| nobody serves it | it was not | ask again |
| `unavailable`, `internal` | it was not | ask again: the key was perhaps not looked up |
| any other no | it was not | it was not, once no copy can be begun any more; until then ask again |

If that takes too long, the client is told that nobody knows: BYE without a tagged answer. It looks before it repeats.

STORE and EXPUNGE are not asked for again: what they leave is the same however often they are done, and what they did is
told to the session by the mailbox's view, also behind a NO. So a client that does them again does no harm.
"""

from typing import TypeVar

from barid_contracts.base import Message, Operation
from barid_runtime.bus.port import Bus, BusError, BusUnavailable, DeadlineExceeded, NoResponders, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock

from ..policy.deadlines import Window

PAUSE = 0.25
"""Seconds before the same is asked again."""

NO_LOOK = frozenset(("unavailable", "internal"))
"""Refusals that may come before the key was looked up."""

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class OutcomeUnknown(Exception):
    """It may have been done, and whoever knows did not say so in time."""


async def ask_until_known(bus: Bus, clock: Clock, operation: Operation[Q, A], request: Q, window: Window) -> A:
    """`request` has a key, and the `not_after` of `window`. Raises OutcomeUnknown; BusError if it was not done."""
    unsure = False
    while True:
        reachable = bus.connected
        try:
            return await call(bus, operation, request, timeout=window.again)
        except OperationFailed as failure:
            error: BusError = failure
            if failure.code == "unknown":
                unsure = True
            elif not unsure or (failure.code not in NO_LOOK and window.closed(clock.now())):
                raise
        except NoResponders as failure:
            error = failure
            if not unsure:
                raise
        except BusUnavailable as failure:
            error = failure
            unsure = unsure or reachable
            if not unsure and window.closed(clock.now()):
                raise
        except DeadlineExceeded as failure:
            error = failure
            unsure = True
        if window.given_up(clock.now()):
            raise OutcomeUnknown(str(error)) from error
        await clock.sleep(PAUSE)
