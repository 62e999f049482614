"""Who else works on this queue. Each relay says from time to time that it lives, and hears who does."""

import asyncio
import contextlib
from collections.abc import Callable

from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..policy.shares import share
from ..ports.replicas import Replicas

ALIVE_MOST = 15.0
"""Seconds that a sign of life lasts, or a lease, if that is shorter: a relay that was killed keeps its share of
connections, and the notices that it had in hand, so long. Another sign is given after a third of it."""

log = get_logger("relay.roll")


class Roll:
    """replicas: None where there can be no other. limit: connections to one destination. changed: told when somebody
    came or went. Runs from `start` to `close`."""

    def __init__(
        self, replicas: Replicas | None, changed: Callable[[], None], *, limit: int, lease_seconds: float
    ) -> None:
        self._replicas = replicas
        self._seconds = min(ALIVE_MOST, lease_seconds)
        self._limit = limit
        self._changed = changed
        self._alive: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self.problem = "ok"

    async def start(self) -> None:
        """Raises DatabaseError."""
        if self._replicas is not None:
            await self._beat(self._replicas)
            self._task = asyncio.get_running_loop().create_task(self._run(self._replicas), name="relay-roll")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None and self._replicas is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(DatabaseError):
                await self._replicas.leave()

    def share(self, destination: str) -> int:
        """Connections that we may have to it at a time. 0: others serve it."""
        if self._replicas is None:
            return self._limit
        return share(destination, self._limit, self._replicas.id, self._alive)

    async def _beat(self, replicas: Replicas) -> None:
        alive = frozenset(await replicas.beat(self._seconds))
        if alive != self._alive:
            log.info("relays", alive=len(alive), came=len(alive - self._alive), went=len(self._alive - alive))
            self._alive = alive
            self._changed()

    async def _run(self, replicas: Replicas) -> None:
        """The event loop's time: life is real. While the database is away the last list is as good as any."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self._beat(replicas)
                self.problem = "ok"
            except DatabaseError as error:
                self.problem = str(error)
                log.warning("queue unavailable", error=str(error))
            except Exception:
                log.exception("no sign of life")
