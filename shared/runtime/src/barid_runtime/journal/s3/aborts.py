"""The abort list in the bucket: packs whose PUT was given up, which may stand there all the same, now or later.

A mark deletes nothing: a writer that stood still may write it after others took its mail for accepted and delivered it.
The keeper deletes the pack when it has asked who refers to it, and then the mark.
"""

import asyncio
import contextlib
from concurrent.futures import Executor

from ...logging import get_logger
from ...objects.port import ObjectError, ObjectStore
from . import keys

AT_ONCE = 5.0
"""Seconds that a refusal waits for its mark: usually the store is back, or refuses at once."""

AGAIN = 5.0
"""Seconds between tries."""

log = get_logger("journal.aborts")


class Aborts:
    def __init__(self, store: ObjectStore, executor: Executor) -> None:
        self._store = store
        self._executor = executor
        self._pending: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def pending(self, folder: str) -> bool:
        """Whether a mark of that folder's is still to be written: until then the local list is all there is."""
        return any(pack.startswith(f"{folder}/") for pack in self._pending)

    async def name(self, pack: str) -> None:
        """Mark it; returns after a while even if that could not be done yet. Raises nothing."""
        self._pending[pack] = None
        with contextlib.suppress(ObjectError, TimeoutError, RuntimeError):
            async with asyncio.timeout(AT_ONCE):
                await self._mark(pack)
        if self._pending and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._go_on(), name="journal-aborts")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while self._pending:
            await asyncio.sleep(AGAIN)  # the loop's time: nothing here depends on what time it is
            for pack in list(self._pending):
                try:
                    await self._mark(pack)
                except ObjectError as error:
                    log.warning("journal_abort_waits", pack=pack, reason=str(error))
                    break

    async def _mark(self, pack: str) -> None:
        marking = asyncio.get_running_loop().run_in_executor(self._executor, mark, self._store, pack)
        marking.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(marking)
        self._pending.pop(pack, None)


def mark(store: ObjectStore, pack: str) -> None:
    """Blocks. Raises ObjectError if it is not marked."""
    store.put(keys.aborted_key(pack), b"\n")
