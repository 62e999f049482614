"""Who is over their quota, as the mailstore says: a set kept by its events, asked for whole when some may be missed."""

import asyncio

from barid_contracts.base import Empty
from barid_contracts.store import OVER_QUOTA_LIST, OverQuota
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.bus.typed import call
from barid_runtime.logging import get_logger

RETRY = 2.0
"""Seconds until the mailstore is asked again. Until it answers, nobody is taken to be over quota."""

log = get_logger("smtp_ingress.quota")


class QuotaState:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._over: set[str] = set()
        self._asking: asyncio.Task[None] | None = None

    def is_over(self, account: str) -> bool:
        return account in self._over

    async def on_change(self, change: OverQuota) -> None:
        if change.full:
            self._over = set(change.over)
        else:
            self._over.update(change.over)
            self._over.difference_update(change.under)

    def refresh(self) -> None:
        """Ask for all, in the background, until it is answered."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask(), name="over-quota")

    async def _ask(self) -> None:
        while True:
            try:
                everything = await call(self._bus, OVER_QUOTA_LIST, Empty())
            except (BusError, ValueError) as error:
                log.debug("quota state not known yet", error=str(error))
            else:
                # An event that came while we asked may be older or newer than the answer; the next one mends it.
                self._over = set(everything.over)
                return
            await asyncio.sleep(RETRY)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
