"""All views of this process. An account's events are heard while any of its mailboxes is selected, and a little longer;
views that nobody watches are kept, least recently used out first, so that SELECT again asks only what changed."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from barid_contracts.store import ACCOUNT_CHANGED, AccountChanged, MailboxInfo
from barid_runtime import tracing
from barid_runtime.bus.port import (
    DEFAULT_DEADLINE,
    Bus,
    BusError,
    DeadlineExceeded,
    OperationFailed,
    Subscription,
)
from barid_runtime.bus.typed import listen
from barid_runtime.logging import get_logger

from .status import Statuses
from .view import MailboxGone, MailboxView, Watcher

LINGER = 30.0
"""Seconds that an account's events are still heard after its last session left: clients hop from folder to folder."""

AT_ONCE = 16
"""Views checked at the same time after the bus was away: the mailstore has others to serve, too."""

VIEW_OVERHEAD = 200
"""A view costs as much as so many messages (an empty FlagTable holds 64 texts)."""

MAX_WATERMARKS = 20_000
r"""Mailboxes whose \Recent watermark is remembered, some 150 octets each."""

log = get_logger("mss.views")


class _Account:
    """What is known of one account."""

    __slots__ = ("attaching", "id", "idle_since", "leases", "subscription", "views")

    def __init__(self, id: str) -> None:
        self.id = id
        self.leases = 0
        self.idle_since = 0.0
        self.subscription: Subscription | None = None
        self.attaching: asyncio.Task[None] | None = None
        self.views: dict[int, MailboxView] = {}

    async def on_event(self, event: AccountChanged) -> None:
        for change in event.changes:
            view = self.views.get(change.mailbox)
            if view is not None:
                view.hear(change)
        if tracing.door is not None:
            notified(tracing.door, tracing.incoming.get())


def notified(door: tracing.Door, header: str) -> None:
    """The mails that the event is about have reached the views of this node; sessions that idle are told next."""
    for mail_id, span in tracing.Parents(header).mails():
        step = door.begin("mss", "imap.notify", mail_id, parent=span)
        if step is not None:
            step.end()


class Lease:
    """The right to a view that is kept up to date, until `close`."""

    __slots__ = ("_account", "_closed", "_shelf", "_watcher", "info", "view")

    def __init__(self, shelf: "Shelf", account: _Account, view: MailboxView, info: MailboxInfo) -> None:
        self._shelf = shelf
        self._account = account
        self._watcher: Watcher | None = None
        self._closed = False
        self.view = view
        self.info = info

    def watch(self, watcher: Watcher) -> None:
        """In the turn in which the columns were copied."""
        self._watcher = watcher
        self.view.watchers[watcher] = None

    def close(self) -> None:
        """Idempotent."""
        if self._watcher is not None:
            self.view.watchers.pop(self._watcher, None)
            if self.view.recent_owner is self._watcher:
                self.view.recent_owner = None
                self.view.recent_from = self.view.uidnext
                self._shelf.remember_recent(self.view)
            self._watcher = None
        if not self._closed:
            self._closed = True
            self._shelf.release(self._account)


class Shelf:
    """See the module. most_rows: messages in views that nobody watches."""

    def __init__(self, bus: Bus, statuses: Statuses, *, most_rows: int) -> None:
        self._bus = bus
        self._statuses = statuses
        self._most_rows = most_rows
        self._accounts: dict[str, _Account] = {}
        self._recently: OrderedDict[tuple[str, int], MailboxView] = OrderedDict()
        self._watermarks: OrderedDict[tuple[str, int, int], int] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        bus.on_reconnect(self._after_absence)

    async def open(self, account_id: str, name: str) -> Lease:
        """The mailbox of that name as it is now. Raises BusError; OperationFailed(`not_found`)."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = _Account(account_id)
        account.leases += 1
        try:
            # Before anything is read, so that nothing falls between reading and hearing.
            await self._attach(account)
            info = await self._statuses.ask(account_id, name)
            view = account.views.get(info.id)
            if view is None or view.gone:
                view = account.views[info.id] = MailboxView(self._bus, account_id, info)
                view.recent_from = self._watermarks.get((account_id, info.id, info.uidvalidity))
            view.name, view.uidvalidity = info.name, info.uidvalidity
            self._touch(view)
            try:
                await view.reach(info.modseq)
            except MailboxGone:
                raise OperationFailed("not_found", "No such mailbox") from None
        except BaseException:
            self.release(account)
            raise
        return Lease(self, account, view, info)

    async def check(self, view: MailboxView) -> None:
        """Have all that the mailstore has of it now. Raises BusError, MailboxGone."""
        try:
            info = await self._statuses.ask(view.account, view.name)
        except OperationFailed as failure:
            if failure.code != "not_found":
                raise
            await view.refresh()  # renamed, or gone
            return
        if info.id == view.id:
            await view.reach(info.modseq)
        else:
            await view.refresh()

    async def catch_up(self, view: MailboxView | None, modseq: int | None = None) -> None:
        """After a write that was done, of which the view should know before the client does. modseq: its own, if its
        reply tells it. Fails quietly: the write stands, and the view goes on trying."""
        if view is None:
            return
        try:
            if modseq is None:
                await self.check(view)
            else:
                await view.reach(modseq)
        except BusError as error:
            log.info("view lags", account=view.account, mailbox=view.id, error=repr(error))
            view.refresh_later()
        except MailboxGone:
            pass

    def find(self, account_id: str, mailbox: int | str) -> MailboxView | None:
        """A view that somebody watches, by id or name."""
        account = self._accounts.get(account_id)
        if account is None:
            return None
        if isinstance(mailbox, int):
            view = account.views.get(mailbox)
            return view if view is not None and view.watchers else None
        for view in account.views.values():
            if view.name == mailbox and view.watchers:
                return view
        return None

    async def heartbeat(self) -> None:
        """Check all views that somebody watches, one after the other; a lost last event is noticed by this alone."""
        for view in self._watched():
            if not view.watchers or view.gone:
                continue
            try:
                await self.check(view)
            except MailboxGone:
                continue
            except BusError:
                return

    def sweep(self, now: float) -> None:
        """Stop hearing of accounts that nobody has used for LINGER, and keep within bounds."""
        for account in list(self._accounts.values()):
            if account.leases or account.attaching is not None:
                continue
            if account.subscription is None or now - account.idle_since > LINGER:
                self._detach(account)
        self._shrink()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def size(self) -> int:
        """Views known."""
        return len(self._recently)

    # Accounts

    async def _attach(self, account: _Account) -> None:
        """Raises DeadlineExceeded: a bus that hangs keeps a subscription waiting for as long as it does."""
        if account.subscription is not None:
            return
        attaching = account.attaching
        if attaching is None:
            attaching = account.attaching = self._spawn(self._listen(account))
        # It goes on when we don't, so that what was subscribed is never forgotten.
        await asyncio.wait((attaching,), timeout=DEFAULT_DEADLINE)
        if not attaching.done():
            raise DeadlineExceeded("events not subscribed in time")
        attaching.result()

    async def _listen(self, account: _Account) -> None:
        try:
            account.subscription = await listen(self._bus, ACCOUNT_CHANGED, account.on_event, account=account.id)
        finally:
            account.attaching = None

    def release(self, account: _Account) -> None:
        account.leases -= 1
        if not account.leases:
            account.idle_since = asyncio.get_running_loop().time()

    def _detach(self, account: _Account) -> None:
        subscription, account.subscription = account.subscription, None
        if subscription is not None:
            self._spawn(subscription.drain())
        if not account.views:
            del self._accounts[account.id]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def on_start_of_mailstore(self, event: AccountChanged) -> None:
        """Its last events before that may be missing. Not awaited: other events wait behind this one."""
        self._spawn(self._after_absence())

    async def _after_absence(self) -> None:
        """Events may have been missed. Views that nobody watches are checked when they are selected."""
        room = asyncio.Semaphore(AT_ONCE)

        async def check(view: MailboxView) -> None:
            async with room:
                try:
                    await self.check(view)
                except BusError:
                    # The mailstore may come back to the bus after us.
                    view.refresh_later()
                except MailboxGone:
                    pass

        await asyncio.gather(*[check(view) for view in self._watched()])

    def _watched(self) -> list[MailboxView]:
        return [view for view in self._recently.values() if view.watchers]

    # Bounds

    def _touch(self, view: MailboxView) -> None:
        key = (view.account, view.id)
        self._recently[key] = view
        self._recently.move_to_end(key)

    def _shrink(self) -> None:
        idle = [(key, view) for key, view in self._recently.items() if not view.watchers]
        rows = sum([len(view) + VIEW_OVERHEAD for _, view in idle])
        for key, view in idle:
            account = self._accounts.get(view.account)
            if rows <= self._most_rows and not view.gone:
                continue
            if account is not None and account.leases:
                continue  # somebody may be about to watch it
            rows -= len(view) + VIEW_OVERHEAD
            del self._recently[key]
            if account is not None and account.views.get(view.id) is view:
                del account.views[view.id]

    def remember_recent(self, view: MailboxView) -> None:
        key = (view.account, view.id, view.uidvalidity)
        assert view.recent_from is not None
        self._watermarks[key] = view.recent_from
        self._watermarks.move_to_end(key)
        if len(self._watermarks) > MAX_WATERMARKS:
            self._watermarks.popitem(last=False)

    def recent_count(self, account_id: str, info: MailboxInfo) -> int:
        r"""What STATUS says of \Recent: exact where the mailbox is known, else the most that there can be."""
        account = self._accounts.get(account_id)
        view = account.views.get(info.id) if account is not None else None
        if view is not None and view.recent_owner is not None:
            return 0
        watermark = self._watermarks.get((account_id, info.id, info.uidvalidity))
        if watermark is None:
            return info.messages
        return min(info.messages, max(info.uidnext - watermark, 0))
