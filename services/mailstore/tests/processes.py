"""Mailstores as processes, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from barid_mailstore.settings import Settings
from barid_runtime.bus.port import NoResponders

from .desk import Desk


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "BARID_DATA": str(settings.data),
        "BARID_BUS_URL": settings.bus_url,
        "BARID_DATABASE_URL": settings.database_url.get_secret_value(),
        "BARID_DATABASE_SCHEMA": settings.database_schema,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "barid_mailstore", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def ready(desk: Desk) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await desk.box("bob")
                return
            except NoResponders:
                await asyncio.sleep(0.02)


async def is_started(child: asyncio.subprocess.Process) -> None:
    """It says so in its log."""
    assert child.stderr is not None
    async with asyncio.timeout(20):
        async for line in child.stderr:
            if b'"event":"started"' in line:
                return
    raise AssertionError("it ended at its start")
