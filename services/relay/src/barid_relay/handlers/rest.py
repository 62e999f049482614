"""Waiting for a time or for an event, whichever is first."""

import asyncio

from barid_runtime.clock import Clock


async def rest(clock: Clock, seconds: float, wake: asyncio.Event) -> None:
    waiting = asyncio.ensure_future(wake.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
