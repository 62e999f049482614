"""What the directory says of accounts: their quota, and that they are gone; the state of those over it is told to the
door.

News of a change may be missed, so all accounts are asked about at start, after a lost connection, and when the
directory has started.
"""

import asyncio

from barid_contracts.base import Empty
from barid_contracts.directory import (
    ACCOUNT_GET,
    DIRECTORY_CHANGED,
    AccountLookup,
    DirectoryChanged,
)
from barid_contracts.store import OVER_QUOTA_LIST, QUOTA, AccountRef, OverQuota, QuotaReply
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call, listen
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.store import Store
from .serving import Serving
from .telling import Teller

AT_ONCE = 8
"""Questions to the directory under way: a restart with many accounts must not drown it."""

RETRY_SECONDS = 5.0
"""Between questions while the directory is away. Mail is filed meanwhile."""

REFRESH_PAGE = 100

REFRESH_PAUSE = 0.1
"""Seconds between two pages of a refresh: 1,000 accounts a second, a tenth of the directory's time."""

log = get_logger("mailstore.limits")


class Limits:
    """Learns the quota of each account that was touched, once; then listens."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._quotas = store.quotas
        self._accounts = store.accounts
        self._bus = bus
        self._clock = clock
        self._asked: set[str] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self.teller: Teller | None = None

    async def serve(self, serving: Serving) -> None:
        self._bus.on_reconnect(self.refresh)
        await self.refresh()
        await serving.operation(QUOTA, self.usage)
        await serving.operation(OVER_QUOTA_LIST, self.over)
        serving.also(await listen(self._bus, DIRECTORY_CHANGED, self.on_changed))

    async def usage(self, request: AccountRef) -> QuotaReply:
        return await self._quotas.usage(request.account)

    async def over(self, request: Empty) -> OverQuota:
        return OverQuota(over=await self._quotas.over(), full=True)

    async def refresh(self) -> None:
        """Ask for all limits again, in the background: changes may have been told while nobody listened here."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh(), name="mailstore-limits")

    async def _refresh(self) -> None:
        after = ""
        while page := await self._page(after):
            self.learn(page)
            after = page[-1]
            await self._clock.sleep(REFRESH_PAUSE)

    async def _page(self, after: str) -> list[str]:
        try:
            return await self._accounts.page(after, REFRESH_PAGE)
        except DatabaseError as error:
            log.warning("database", error=str(error))
            return []

    def learn(self, accounts: list[str]) -> None:
        """Ask the directory for their limits, unless that is under way."""
        for account in accounts:
            if account not in self._asked:
                self._asked.add(account)
                task = asyncio.get_running_loop().create_task(self._learn(account), name="mailstore-limit")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _learn(self, account: str) -> None:
        try:
            async with self._slots:
                while not await self._ask(account):
                    await self._clock.sleep(RETRY_SECONDS)
        finally:
            self._asked.discard(account)

    async def _ask(self, account: str) -> bool:
        try:
            record = await call(self._bus, ACCOUNT_GET, AccountLookup(id=account))
            await self._set(account, record.quota)
        except OperationFailed as failed:
            if failed.code != "not_found":
                return False
            await self._set_gone(account)
        except (BusError, DatabaseError):
            return False
        return True

    async def _set(self, account: str, quota: int) -> None:
        commit = await self._quotas.set_limit(account, quota)
        if self.teller is not None:
            await self.teller.tell(commit)

    async def on_changed(self, changed: DirectoryChanged) -> None:
        if changed.everything:
            # It may have been restored from a copy: who was gone may be back, and the reverse.
            await self.refresh()
        if changed.account is None:
            return
        if changed.record is not None:
            await self._set(changed.account, changed.record.quota)
            return
        await self._set_gone(changed.account)

    async def _set_gone(self, account: str) -> None:
        commit = await self._accounts.set_gone(account)
        if commit.result:
            log.warning("account gone", account=account)
        if self.teller is not None:
            await self.teller.tell(commit)

    async def close(self) -> None:
        tasks = [*self._tasks, *([self._refreshing] if self._refreshing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
