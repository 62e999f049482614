"""One queue of appends, sent as packs: a pack goes when it is full, or when its oldest mail has waited the window.

Several are under way at once, each on its own. While as many as may are under way, the next one gathers beyond its
window; so does load that a slow store can't take, until MAX_QUEUED, where appends wait for room.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from barid_contracts.mail import BodyRef

from ..batch import Waiting
from ..port import JournalError, JournalFailed

MAX_QUEUED = 16 * 1024 * 1024
"""Bytes waiting to be sent before appends wait: two full packs behind those under way."""

_BUG = "the journal met an internal error"


class PutLane:
    """send: makes a batch durable and answers its futures; must not raise, save for a bug. All on the loop."""

    def __init__(
        self,
        send: Callable[[list[Waiting]], Awaitable[None]],
        trouble: Callable[[str], None],
        *,
        window: float,
        pack_bytes: int,
        puts: int,
    ) -> None:
        self._send = send
        self._trouble = trouble
        self._window = window
        self._pack_bytes = pack_bytes
        self._puts = puts
        self._queue: deque[Waiting] = deque()
        self._queued = 0
        self._room = asyncio.Event()
        self._room.set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._flying: set[asyncio.Task[None]] = set()
        self._closing = False
        self.loop = asyncio.get_running_loop()

    def submit(self, waiting: Waiting) -> asyncio.Future[BodyRef]:
        """Done when the record is durable, or refused."""
        if self._queued >= MAX_QUEUED:
            return self.loop.create_task(self.append(waiting))
        self._enter(waiting)
        return waiting.durable

    async def append(self, waiting: Waiting) -> BodyRef:
        while self._queued >= MAX_QUEUED:
            self._room.clear()
            await self._room.wait()
        self._enter(waiting)
        return await waiting.durable

    def rotate(self) -> None:
        """Send what waits: nothing else is open here."""
        self._due = True
        self._go()

    async def close(self) -> None:
        """Send what waits; returns when all is answered."""
        self._closing = True
        self._room.set()
        self.rotate()
        while self._flying:
            await asyncio.wait(self._flying)

    def _enter(self, waiting: Waiting) -> None:
        if self._closing:
            raise JournalFailed("the journal is closed")
        self._queue.append(waiting)
        self._queued += waiting.extent
        if self._queued >= self._pack_bytes:
            self._go()
        elif self._timer is None and not self._due:
            self._timer = self.loop.call_later(self._window, self._time_is_over)

    def _time_is_over(self) -> None:
        self._timer = None
        self._due = True
        self._go()

    def _go(self) -> None:
        while self._queue and len(self._flying) < self._puts and (self._due or self._queued >= self._pack_bytes):
            batch = self._take()
            if batch:
                flight = self.loop.create_task(self._fly(batch), name="journal-put")
                self._flying.add(flight)
                flight.add_done_callback(self._landed)
        if not self._queue:
            self._due = False
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None and not self._due:
            self._timer = self.loop.call_later(self._window, self._time_is_over)

    def _take(self) -> list[Waiting]:
        """The next pack's: all that waits, up to its size."""
        batch: list[Waiting] = []
        size = 0
        queue = self._queue
        while queue:
            waiting = queue[0]
            if batch and size + waiting.extent > self._pack_bytes:
                break
            queue.popleft()
            self._queued -= waiting.extent
            if waiting.durable.cancelled():
                continue
            size += waiting.extent
            batch.append(waiting)
        if self._queued < MAX_QUEUED:
            self._room.set()
        return batch

    async def _fly(self, batch: list[Waiting]) -> None:
        try:
            await self._send(batch)
        except Exception as error:
            # Nobody may hang for a bug of ours.
            self._trouble(repr(error))
            refuse(batch, JournalFailed(_BUG))

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flying.discard(flight)
        self._go()


def refuse(batch: list[Waiting], refusal: JournalError) -> None:
    for waiting in batch:
        if not waiting.durable.done():
            waiting.durable.set_exception(refusal)
            # Whoever appended may be gone by now; an error that nobody fetched is no news.
            waiting.durable.exception()
