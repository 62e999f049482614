"""Accounts as the directory knows them, remembered until it tells of a change."""

from barid_contracts.directory import ACCOUNT_GET, DIRECTORY_CHANGED, Account, AccountLookup, DirectoryChanged
from barid_runtime.bus.port import Bus, OperationFailed, Subscription
from barid_runtime.bus.typed import call, listen

from ..ports import UNKNOWN, Unknown

MAX_HELD = 50_000
"""Accounts remembered, about 1 KB each; beyond it the one that was learnt first goes."""


class RememberedAccounts:
    """Implements ports.Accounts. `open` before use: what isn't heard of must not be remembered."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._held: dict[str, Account | None] = {}
        self._changes = 0
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        self._bus.on_reconnect(self._forget_all)
        self._subscription = await listen(self._bus, DIRECTORY_CHANGED, self._on_change)

    def held(self, account: str) -> Account | Unknown | None:
        return self._held.get(account, UNKNOWN)

    async def load(self, account: str) -> Account | None:
        changes = self._changes
        found: Account | None
        try:
            found = await call(self._bus, ACCOUNT_GET, AccountLookup(id=account))
        except OperationFailed as problem:
            if problem.code != "not_found":
                raise
            found = None
        # An answer that a change may have overtaken is good for now, not for later.
        if changes == self._changes:
            if len(self._held) >= MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[account] = found
        return found

    async def _on_change(self, change: DirectoryChanged) -> None:
        self._changes += 1
        if change.everything:
            self._held.clear()
        elif change.account is not None and change.account in self._held:
            self._held[change.account] = change.record

    async def _forget_all(self) -> None:
        """Changes may have been missed."""
        self._changes += 1
        self._held.clear()
