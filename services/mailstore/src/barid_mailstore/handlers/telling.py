"""After a commit: tell readers what changed, wake who works behind it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from barid_contracts.store import (
    ACCOUNT_CHANGED,
    EVERY_ACCOUNT,
    OVER_QUOTA_CHANGED,
    AccountChanged,
    OverQuota,
)
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import announce

from ..policy.changes import account_changed
from ..ports.commits import Commit

T = TypeVar("T")

NO_TRACES: Mapping[str, str] = {}

_PREFIX = ACCOUNT_CHANGED.subject_for(account="")


class Teller:
    """Events are published in the order of commits, as far as the bus keeps it; a reader that sees a gap asks VIEW.

    learn_limits: is given the accounts whose quota isn't known. notify_outbox, notify_sweeper: wake them.
    """

    def __init__(
        self,
        bus: Bus,
        learn_limits: Callable[[list[str]], None],
        notify_outbox: Callable[[], None],
        notify_sweeper: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._learn_limits = learn_limits
        self._notify_outbox = notify_outbox
        self._notify_sweeper = notify_sweeper

    async def started(self) -> None:
        """A process before us may have died between a commit and its event: readers check what they have."""
        await announce(self._bus, ACCOUNT_CHANGED, AccountChanged(account=""), account=EVERY_ACCOUNT)

    async def tell(self, commit: Commit[T], traces: Mapping[str, str] = NO_TRACES) -> T:
        """Returns the commit's result. traces: account → what its event is caused by."""
        for delta in commit.deltas:
            if delta.mailboxes or delta.names:
                header = traces.get(delta.account, "") if traces else ""
                await self._bus.publish(_PREFIX + delta.account, account_changed(delta), traces=header)
        if commit.over or commit.under:
            await announce(self._bus, OVER_QUOTA_CHANGED, OverQuota(over=commit.over, under=commit.under))
        if commit.strangers:
            self._learn_limits(commit.strangers)
        if commit.outbox:
            self._notify_outbox()
        if commit.doomed:
            self._notify_sweeper()
        return commit.result
