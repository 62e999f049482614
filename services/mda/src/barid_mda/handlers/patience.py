"""What to do while something that delivery depends on is down: keep the work in hand, take no more, try again.

An outage is nobody's fault, so it is never counted against a mail. A refusal is: it goes to whoever asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from barid_runtime.bus.port import BusError, BusUnavailable, DeadlineExceeded, NoResponders, OperationFailed
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger

T = TypeVar("T")

FIRST_PAUSE = 0.1
MOST_PAUSE = 5.0
"""Seconds between tries: soon after a restart, gently in a long outage."""

log = get_logger("barid.mda")


class Abandoned(Exception):
    """We are closing, and what we wait for is still down: the bus keeps the work."""


def is_outage(error: BusError) -> bool:
    if isinstance(error, OperationFailed):
        return error.code == "unavailable"
    return isinstance(error, BusUnavailable | NoResponders | DeadlineExceeded)


class Patience:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closing = asyncio.Event()
        self._all_well = asyncio.Event()
        self._all_well.set()
        self.faults: dict[str, str] = {}

    async def ask(self, whom: str, question: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long it takes. Raises the BusError of a refusal, and Abandoned."""
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await question()
            except BusError as error:
                if not is_outage(error):
                    self._well(whom)
                    raise
                if whom not in self.faults:
                    log.warning("waiting", whom=whom, error=str(error))
                self.faults[whom] = str(error)
                self._all_well.clear()
            else:
                if self.faults:
                    self._well(whom)
                return answer
            await self._pause(pause)
            if self._closing.is_set():
                raise Abandoned
            pause = min(2 * pause, MOST_PAUSE)

    async def wait_until_well(self) -> None:
        """Returns at once when nothing is known to be down."""
        await self._all_well.wait()

    def close(self) -> None:
        """Wait for nothing any more."""
        self._closing.set()

    async def _pause(self, seconds: float) -> None:
        """Ends early when we are closing."""
        waits = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._closing.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _well(self, whom: str) -> None:
        if self.faults.pop(whom, None) is not None:
            log.info("back again", whom=whom)
        if not self.faults:
            self._all_well.set()
