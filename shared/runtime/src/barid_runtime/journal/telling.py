"""How the publisher talks to the bus: it tries for ever, and says in one line why nothing goes."""

import asyncio
from collections.abc import Callable

from barid_contracts.mail import ACCEPTED_STREAM

from ..bus.port import Bus, BusError, Stream
from ..clock import Clock
from ..logging import get_logger

_BACKOFF = (0.05, 5.0)
"""Seconds of the first and the longest wait after a failure; a reconnection ends the wait at once."""

log = get_logger("journal.publisher")


class Telling:
    """messages: those that the bus took. problem: why none goes just now, empty if all is well.

    backlog: how many mails wait, for the log.
    """

    def __init__(self, bus: Bus, clock: Clock, backlog: Callable[[], int]) -> None:
        self._bus = bus
        self._clock = clock
        self._backlog = backlog
        self._retry = asyncio.Event()
        self.messages = 0
        self.problem = ""
        bus.on_reconnect(self._on_reconnect)

    async def _on_reconnect(self) -> None:
        self._retry.set()

    async def prepare(self) -> None:
        """Returns when there is a stream for accepted mail."""
        wait, longest = _BACKOFF
        while True:
            try:
                await self._bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
                break
            except BusError as error:
                self.note(error)
            await self._pause(wait)
            wait = min(2 * wait, longest)
        self.problem = ""

    async def publish(self, subject: str, payload: bytes, name: str, traces: str = "") -> None:
        """Returns when the stream has it. name: the message's id, by which the bus knows a repetition."""
        wait, longest = _BACKOFF
        while True:
            try:
                await self._bus.publish_durable(subject, payload, message_id=name, traces=traces)
            except Exception as error:
                # Whatever it was: the mail is durable and owed, so the only way on is to try again.
                self.note(error)
            else:
                self.messages += 1
                self.problem = ""
                return
            await self._pause(wait)
            wait = min(2 * wait, longest)

    def note(self, error: Exception) -> None:
        """Something else that keeps mails from the bus."""
        problem = f"{type(error).__name__}: {error}"
        if problem != self.problem:
            self.problem = problem
            log.warning("publisher_waits", reason=problem, backlog=self._backlog())

    async def _pause(self, seconds: float) -> None:
        """Until it is worth another try."""
        self._retry.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self._retry.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
