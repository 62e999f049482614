"""Keeps the bus running: started again when it ends by itself, and when it can't store any more."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from barid_runtime.bus.port import BusError
from barid_runtime.logging import get_logger

if TYPE_CHECKING:
    from barid_runtime.bus.embedded import EmbeddedNats

log = get_logger("barid.bus")

PAUSE_FIRST = 0.05
PAUSE_MOST = 5.0
STABLE_SECONDS = 30.0
"""A server that worked this long failed by accident, not by its nature."""

STORE_CHECK_SECONDS = 2.0
STORE_ROOM = 64 * 1024 * 1024
"""Bytes free before the bus is given another try after its store could not write: less, and it would fail again."""


async def keep_running(bus: "EmbeddedNats", on_restart: Callable[[], None]) -> None:
    """Started again on the same port when it ends by itself; services wait for it meanwhile."""
    loop = asyncio.get_running_loop()
    pause, since = PAUSE_FIRST, loop.time()
    while True:
        code = await bus.wait()
        if loop.time() - since > STABLE_SECONDS:
            pause = PAUSE_FIRST
        log.warning("the bus ended; starting it again", code=code, pause=pause)
        while True:
            await asyncio.sleep(pause)
            pause, since = min(pause * 2, PAUSE_MOST), loop.time()
            try:
                await bus.start()
            except BusError as error:
                log.warning("the bus does not start", reason=str(error), pause=pause)
            else:
                break
        on_restart()


async def keep_storing(bus: "EmbeddedNats", folder: Path) -> None:
    """After a full disk the bus needs a new start. Nothing on it is the only copy, so that costs a moment."""
    failed = False
    while True:
        await asyncio.sleep(STORE_CHECK_SECONDS)
        failed = bus.store_failed() or failed
        if failed and shutil.disk_usage(folder).free > STORE_ROOM:
            log.warning("the bus could not store; starting it again")
            failed = False
            bus.end()
