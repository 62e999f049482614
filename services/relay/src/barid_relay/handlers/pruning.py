"""The pruner: what the relay is done with goes in time, a few rows at a time, when nobody waits for it.

**The ledger of a mail** goes when all its outcomes are older than `trace_keep` *and* its pack is gone. As long as the
pack is there, somebody may ask whether the mail is still owed (a pack whose mark of being closed was lost, a restored
journal); without the rows the answer would be yes, and it would be sent again. Packs go when nothing refers to them, so
what is kept for the sake of packs is a small part of them. An event that comes after that is a ghost: see `Intake`.

**Captured mail** goes, oldest first, when it is older than `captured_keep`, or when there is more than `captured_most`
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

LEDGER_EVERY = 3600.0
"""Seconds between two walks over finished mail: 10 µs a mail that is older than the time it is kept."""

SLICE = 500
"""Mails deleted in one transaction: 10 ms of the writer's time."""

PAUSE = 0.1
"""Seconds between two slices, so that others have nine tenths of the writer."""

log = get_logger("relay.pruning")


class Pruner:
    """packs_left: those of the named packs and objects that there still are. Runs from `start` to `close`."""

    def __init__(
        self,
        memory: Memory,
        packs_left: Callable[[Collection[str]], Awaitable[set[str]]],
        clock: Clock,
        meters: Meters,
        settings: Settings,
    ) -> None:
        self._memory = memory
        self._packs_left = packs_left
        self._clock = clock
        self._meters = meters
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._next_walk = 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relay-pruner")

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
                log.exception("pruning failed")

    async def round(self) -> None:
        await self._captured()
        if self._clock.now() >= self._next_walk:
            await self._ledger()
            self._next_walk = self._clock.now() + LEDGER_EVERY

    async def _captured(self) -> None:
        settings = self._settings
        keep = settings.captured_keep
        before = self._before(keep) if keep else 0
        removed = 0
        while gone := await self._memory.let_go(SLICE, before, settings.captured_most, settings.captured_most_size):
            removed += gone
            await self._clock.sleep(PAUSE)
        if removed:
            self._meters.captured_removed.inc(removed)
            log.warning("captured mail removed", copies=removed, bound="captured_keep, _most or _most_size")
        load = await self._memory.captured_load()
        self._meters.captured_copies.set(load.copies)
        self._meters.captured_bytes.set(load.size)

    async def _ledger(self) -> None:
        before = self._before(self._settings.trace_keep)
        after = forgotten = 0
        while found := await self._memory.finished(after, before, SLICE):
            after = found[-1].row
            left = await self._packs_left({each.pack for each in found})
            rows = [each.row for each in found if each.pack not in left]
            if rows:
                forgotten += await self._memory.forget(rows)
            await self._clock.sleep(PAUSE)
        if forgotten:
            self._meters.forgotten.inc(forgotten)
            log.info("ledger pruned", mails=forgotten)

    def _before(self, seconds: float) -> int:
        return int((self._clock.now() - seconds) * 1000)
