"""Forgets what has had its time, in the background, a few rows at a time: finished mails, captured mail.

**The ledger of a mail** goes when all its outcomes are older than `ledger_days` *and* its pack is closed or gone. Until
then somebody may ask whether the mail is still owed; without the rows the answer would be yes, and it would be sent
again. A closed pack is never asked about again (`barid_runtime.journal.lifecycle`), and the bus keeps no event as long
as the ledger its rows; one that comes all the same is a ghost: see `Intake`.

**Captured mail** goes, oldest first, when it is older than `captured_days`, or when there is more than `captured_most`
copies or `captured_most_size` bytes. It is never done silently: log, metric, and a word in the trace.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.memory import Memory
from ..settings import Settings
from .meters import Meters

CAPTURED_EVERY = 60.0
"""Seconds between two looks at captured mail: its bounds are exceeded by what comes in a minute."""

DAY = 86_400.0

SLICE = 500
"""Mails deleted in one transaction: 10 ms of the writer's time."""

PAUSE = 0.1
"""Seconds between two slices, so that others have nine tenths of the writer."""

log = get_logger("relay.retention")


class Retention:
    """packs_open: those of the named packs that aren't closed, and of the objects that there are. Runs from `start` to
    `close`. Every walk over finished mail takes 10 µs for each that is older than `ledger_days`."""

    def __init__(
        self,
        memory: Memory,
        packs_open: Callable[[Collection[str]], Awaitable[set[str]]],
        clock: Clock,
        meters: Meters,
        settings: Settings,
    ) -> None:
        self._memory = memory
        self._packs_open = packs_open
        self._clock = clock
        self._meters = meters
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._next_walk = 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relay-retention")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(CAPTURED_EVERY)
            try:
                await self.round()
            except DatabaseError as error:
                log.warning("database", error=str(error))
            except Exception:
                # Not ending: without it the disk fills up.
                log.exception("forgetting failed")

    async def round(self) -> None:
        await self._captured()
        if self._clock.now() >= self._next_walk:
            await self._ledger()
            self._next_walk = self._clock.now() + self._settings.retention_seconds

    async def _captured(self) -> None:
        settings = self._settings
        before = self._before(settings.captured_days) if settings.captured_days else 0
        removed = 0
        while gone := await self._memory.let_go(SLICE, before, settings.captured_most, settings.captured_most_size):
            removed += gone
            await self._clock.sleep(PAUSE)
        if removed:
            self._meters.captured_removed.inc(removed)
            log.warning("captured mail removed", copies=removed, bound="captured_days, _most or _most_size")
        load = await self._memory.captured_load()
        self._meters.captured_copies.set(load.copies)
        self._meters.captured_bytes.set(load.size)

    async def _ledger(self) -> None:
        before = self._before(self._settings.ledger_days)
        after = forgotten = 0
        while found := await self._memory.finished(after, before, SLICE):
            after = found[-1].row
            open_ = await self._packs_open({each.pack for each in found})
            rows = [each.row for each in found if each.pack not in open_]
            if rows:
                forgotten += await self._memory.forget(rows)
            await self._clock.sleep(PAUSE)
        if forgotten:
            self._meters.forgotten.inc(forgotten)
            log.info("ledger forgotten", mails=forgotten)

    def _before(self, days: float) -> int:
        return int((self._clock.now() - days * DAY) * 1000)
