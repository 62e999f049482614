"""Deletes bodies whose last message is gone, a few at a time, when nobody waits for it."""

import asyncio

from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.store import Store

PAUSE = 0.05
"""Seconds between two slices: sweeping takes at most a tenth of the writer's time."""

RETRY_SECONDS = 10.0

log = get_logger("mailstore.sweeper")


class Sweeper:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._bodies = store.bodies
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._wake.set()  # for what the process before us left
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mailstore-sweeper")

    def notify(self) -> None:
        self._wake.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._clock.sleep(PAUSE)
            try:
                while await self._bodies.sweep():
                    await self._clock.sleep(PAUSE)
            except DatabaseError as error:
                log.warning("database", error=str(error))
                await self._clock.sleep(RETRY_SECONDS)
                self._wake.set()
