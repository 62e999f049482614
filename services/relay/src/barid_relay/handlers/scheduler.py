"""Which destinations get workers, and when. The queue says what is due; here is only whose turn it is.

- A destination is *ready* when rows of it may be due: new ones arrived, their time came, an operator asked. Ready ones
  take turns: a worker ends after a batch when others wait, and its destination goes to the end of the line.
- A destination that could not be reached *rests*, longer each time, whatever arrives for it: ten thousand mails to a
  dead host are not ten thousand timeouts.
"""

import asyncio
import math
from collections.abc import Callable, Iterable

from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.queue import Queue
from .meters import Meters
from .rest import rest
from .worker import Worker

POLL = 15.0
"""Seconds between looks into the queue when nothing is known to become due earlier: also finds leases that ran out."""

POLL_SHARED = 3.0
"""The same where other relays work on the queue: what they took in for a destination of which they have no share, and
what an operator asked one of them to try again, waits so long."""

REST_FIRST = 30.0
REST_MOST = 900.0
"""Seconds; the most is the first pause of a mail that is deferred, so nothing waits for the rest alone."""

RESTS_MOST = 100_000
"""Destinations whose rest is remembered; beyond that the oldest are forgotten."""

log = get_logger("relay.scheduler")

NewWorker = Callable[[str, Callable[[], None], Callable[[], bool]], Worker]
"""destination, more, yields: see Worker."""


class Scheduler:
    def __init__(
        self, queue: Queue, clock: Clock, meters: Meters, *, workers: int, share: Callable[[str], int], poll: float
    ) -> None:
        """share: how many workers a destination may have. poll: seconds between looks."""
        self._queue = queue
        self._clock = clock
        self._meters = meters
        self._new_worker: NewWorker | None = None
        self._most = workers
        self._share = share
        self._poll = poll
        self._ready: dict[str, None] = {}
        self._active: dict[str, int] = {}
        self._workers: dict[asyncio.Task[None], tuple[str, Worker]] = {}
        self._rests: dict[str, tuple[float, float]] = {}
        self._wake = asyncio.Event()
        self._look = True
        self._next_look = 0.0
        self._next_count = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.problem = "ok"

    def start(self, new_worker: NewWorker) -> None:
        self._new_worker = new_worker
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relay-scheduler")

    def arrived(self, destinations: Iterable[str]) -> None:
        """There are new rows."""
        for destination in destinations:
            self._ready[destination] = None
        self._fill()

    def expect(self, due: int) -> None:
        """A row will be due then (epoch ms)."""
        if due / 1000 < self._next_look:
            self._wake.set()

    def look(self, *, forget_rests: bool = False) -> None:
        """Rows may have become due in another way. forget_rests: an operator wants to know now."""
        if forget_rests:
            self._rests.clear()
        self._look = True
        self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Transactions under way may finish; leases are given back."""
        self._closing = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for _, worker in self._workers.values():
            worker.stopping = True
        tasks = list(self._workers)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for each in late:
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- looking

    async def _run(self) -> None:
        while True:
            # Whoever wakes us while we look is heard after it.
            self._wake.clear()
            self._next_look = math.inf
            self._look = False
            pause = self._poll
            try:
                now = self._clock.now()
                found, next_due = await self._queue.due(int(now * 1000))
                await self._count(now)
                if next_due is not None:
                    pause = min(self._poll, max(next_due / 1000 - now, 0.01))
                self.problem = "ok"
                self.arrived(found)
            except DatabaseError as error:
                self.problem = str(error)
                log.warning("queue unavailable", error=str(error))
            except Exception:
                # Without it nothing is ever tried again.
                log.exception("scheduling failed")
            self._next_look = self._clock.now() + pause
            if not self._look:
                await rest(self._clock, pause, self._wake)

    async def _count(self, now: float) -> None:
        """For the meters. It walks the whole queue, and we look more often than that is worth."""
        if now >= self._next_count:
            self._next_count = now + POLL
            depth = await self._queue.depth(int(now * 1000))
            for state, count in depth.counts.items():
                self._meters.depth[state].set(count)
            self._meters.overdue.set(depth.overdue / 1000)

    # --- giving turns

    def _fill(self) -> None:
        """Workers for those whose turn it is, as long as there are places."""
        if self._closing or self._new_worker is None:
            return
        for destination in list(self._ready):
            if len(self._workers) >= self._most:
                return
            if self._rests_now(destination):
                del self._ready[destination]
            elif not (share := self._share(destination)):
                # Others find it at their next look.
                del self._ready[destination]
            elif self._active.get(destination, 0) < share:
                del self._ready[destination]
                self._spawn(destination, self._new_worker)

    def _rests_now(self, destination: str) -> bool:
        until, _ = self._rests.get(destination, (0.0, 0.0))
        return until > self._clock.now()

    def _spawn(self, destination: str, new_worker: NewWorker) -> None:
        worker = new_worker(destination, lambda: self._more(destination), lambda: self._yields(destination))
        task = asyncio.get_running_loop().create_task(worker.run(), name=f"relay {destination}")
        self._workers[task] = (destination, worker)
        self._active[destination] = self._active.get(destination, 0) + 1
        self._meters.workers.set(len(self._workers))
        task.add_done_callback(self._ended)

    def _more(self, destination: str) -> None:
        self._ready[destination] = None
        self._fill()

    def _yields(self, destination: str) -> bool:
        """Others wait for the place, or another relay has come, and our share is smaller than it was."""
        if len(self._workers) >= self._most and self._ready:
            return True
        return self._active[destination] > self._share(destination)

    def _ended(self, task: asyncio.Task[None]) -> None:
        destination, worker = self._workers.pop(task)
        self._meters.workers.set(len(self._workers))
        self._active[destination] -= 1
        if not self._active[destination]:
            del self._active[destination]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("worker failed", destination=destination, exc_info=error)
            self._let_rest(destination)
        elif worker.failed is not None:
            self._let_rest(destination)
        else:
            self._rests.pop(destination, None)
            if worker.left:
                self._ready[destination] = None
        self._fill()

    def _let_rest(self, destination: str) -> None:
        _, before = self._rests.pop(destination, (0.0, 0.0))
        seconds = min(max(2 * before, REST_FIRST), REST_MOST)
        self._rests[destination] = (self._clock.now() + seconds, seconds)
        if len(self._rests) > RESTS_MOST:
            del self._rests[next(iter(self._rests))]
