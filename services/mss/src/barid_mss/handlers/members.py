"""Who is logged in, and whether they still may be: a session ends when its account is gone or disabled, or when its
password is not the present one any more.

Events say where to look, the directory's answer decides: events of two replicas may come in any order, and a session
that the new password let in is not ended by the news of that very change. An event may also be lost, so everybody is
looked at anew when the directory or the bus was away, and every RECHECK seconds. While the directory doesn't answer
sessions stay, and it is asked again.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from barid_contracts.directory import ACCOUNT_GET, Account, AccountLookup, DirectoryChanged
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.logging import get_logger

AT_ONCE = 16
"""Accounts asked for at the same time: log-ins want the directory, too."""

AGAIN_FIRST = 0.5
AGAIN_MOST = 30.0
"""Seconds until the directory is asked again after it didn't answer, doubling."""

GONE = "The account is not available any more"
CHANGED = "The password was changed; log in again"

log = get_logger("mss.members")


class Member(Protocol):
    """A session that has logged in."""

    def expel(self, text: str) -> None:
        """It may not stay: say so and end it."""


class Members:
    """All sessions of this process that have logged in, by account, with the credential that let each in."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._accounts: dict[str, dict[Member, str]] = {}
        self._doubted: dict[str, None] = {}
        self._looking: asyncio.Task[None] | None = None
        self.changes = 0
        """Counts what was heard of the directory; see `add`."""
        bus.on_reconnect(self._after_absence)

    def add(self, member: Member, account: str, credential: str, changes: int) -> None:
        """changes: as it was before the directory was asked; what came meanwhile may be about this member."""
        self._accounts.setdefault(account, {})[member] = credential
        if changes != self.changes:
            self._doubt((account,))

    def remove(self, member: Member, account: str) -> None:
        members = self._accounts[account]
        members.pop(member, None)
        if not members:
            del self._accounts[account]

    async def on_change(self, change: DirectoryChanged) -> None:
        self.changes += 1
        if change.everything:
            self.doubt_all()
        account, record = change.account, change.record
        if account is None or account not in self._accounts:
            return
        if record is None:
            self._end(account, GONE)  # for ever: ids are never used again
        elif not record.enabled or self._outdated(account, record.credential):
            self._doubt((account,))

    def doubt_all(self) -> None:
        """Something may have been missed."""
        self._doubt(self._accounts)

    async def close(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait((looking,))

    async def _after_absence(self) -> None:
        self.changes += 1
        self.doubt_all()

    def _doubt(self, accounts: Iterable[str]) -> None:
        self._doubted.update(dict.fromkeys(accounts))
        if self._doubted and self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        if task is self._looking:
            self._looking = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("look at the accounts failed", exc_info=error)

    async def _look(self) -> None:
        pause = AGAIN_FIRST
        while self._doubted:
            batch = list(self._doubted)[:AT_ONCE]
            for account in batch:
                del self._doubted[account]
            outcomes = await asyncio.gather(*map(self._ask, batch))
            if all(outcomes):
                pause = AGAIN_FIRST
                continue
            self._doubted.update({account: None for account, asked in zip(batch, outcomes, strict=True) if not asked})
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_MOST)

    async def _ask(self, account: str) -> bool:
        """Whether the directory has answered; acts on the answer."""
        if account not in self._accounts:
            return True
        try:
            record: Account | None = await call(self._bus, ACCOUNT_GET, AccountLookup(id=account))
        except BusError as error:
            if not isinstance(error, OperationFailed) or error.code != "not_found":
                log.debug("account not looked at", account=account, error=repr(error))
                return False
            record = None
        if record is None or not record.enabled:
            self._end(account, GONE)
        else:
            for member in self._outdated(account, record.credential):
                member.expel(CHANGED)
        return True

    def _outdated(self, account: str, credential: str) -> list[Member]:
        """Those whom another password let in. An older directory tells no credentials."""
        members = self._accounts.get(account, {})
        return [member for member, let_in_by in members.items() if let_in_by != credential and let_in_by and credential]

    def _end(self, account: str, text: str) -> None:
        for member in list(self._accounts.get(account, ())):
            member.expel(text)
