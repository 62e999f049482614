"""One mailbox as this process knows it: columns of UID, flags and MODSEQ, shared by all sessions that have it selected.

Invariants:
- All changes up to `modseq` are in the columns; some later ones may be.
- A change moves the columns once and every watcher's snapshot with them, in one turn of the loop: who copies the
  columns and starts to watch in one turn misses nothing.
- An event whose `previous` isn't our `modseq` is not applied: what lies between is asked of the mailstore (VIEW).
- One refresh runs at a time; events that come meanwhile wait for its end.

Price of an event with one new message: 10 µs to parse, 3 µs here, 2 µs a watcher.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from barid_contracts.store import VIEW, MailboxChange, MailboxInfo, ViewReply, ViewRequest
from barid_protocols.imap.changes import Changes, Columns, Row
from barid_protocols.imap.selected import SelectedMailbox
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.logging import get_logger

from .columns import FlagCodes, uid_column, wide_column
from .rows import MailboxRows

MAX_WAITING_EVENTS = 1_000
"""Kept while a refresh runs. Beyond that they are dropped and the refresh is followed by another."""

MAX_ROUNDS = 10
"""Of a refresh of a mailbox that changes faster than it is read; then the events have to do."""

RETRY_FIRST = 0.25
RETRY_MOST = 30.0
"""Seconds from a refresh that failed to the next try, doubling: mailboxes are many, and all fail at once."""

log = get_logger("mss.views")


class MailboxGone(Exception):
    """The mailbox was deleted."""


class Watcher(Protocol):
    """One session that has the mailbox selected."""

    selected: SelectedMailbox

    def news(self) -> None:
        """The snapshot has something to announce. Must not wait, nor raise."""

    def gone(self) -> None:
        """The mailbox was deleted."""


class MailboxView:
    """See the module. `id` is the mailstore's; `name` is the last one heard of."""

    def __init__(self, bus: Bus, account: str, info: MailboxInfo) -> None:
        self._bus = bus
        self.account = account
        self.id = info.id
        self.name = info.name
        self.uidvalidity = info.uidvalidity
        self.uidnext = 0
        self.modseq = 0
        self.flags = FlagCodes()
        self.rows = MailboxRows()
        self.watchers: dict[Watcher, None] = {}
        self.recent_from: int | None = None
        r"""The first UID that no session was told of as \Recent; None: all that are there (RFC 3501 §2.3.2)."""
        self.recent_owner: Watcher | None = None
        self.gone = False
        self._refreshing: asyncio.Task[None] | None = None
        self._waiting: list[MailboxChange] = []
        self._dropped = False
        self._retry: asyncio.TimerHandle | None = None
        self._pause = RETRY_FIRST

    @property
    def columns(self) -> Columns:
        """To be copied in the same turn of the loop."""
        return self.rows.columns

    def __len__(self) -> int:
        return len(self.rows)

    # What others tell

    def hear(self, change: MailboxChange) -> None:
        """An event of this mailbox."""
        if self._refreshing is not None:
            if len(self._waiting) < MAX_WAITING_EVENTS:
                self._waiting.append(change)
            else:
                self._dropped = True
        elif not self._take(change):
            self.refresh_soon()

    def _take(self, change: MailboxChange) -> bool:
        """False: something lies between us and this change."""
        if change.gone:
            self._die()
        elif change.modseq > self.modseq:
            # A change too large for an event is told as one that follows itself, so it never fits.
            if change.previous != self.modseq:
                return False
            self._apply_change(change)
        return True

    def _apply_change(self, change: MailboxChange) -> None:
        if change.keywords is not None:
            self.flags.learn(change.keywords)
        added: list[Row] = []
        changed: list[Row] = []
        if change.added:
            added = self._rows_of(change.added, change.added_flags, change.added_modseqs)
        if change.changed:
            changed = self._rows_of(change.changed, change.changed_flags, change.changed_modseqs)
        self.modseq = change.modseq
        self._apply(added, changed, uid_column(change.expunged) if change.expunged else ())

    def _rows_of(self, uids: bytes, flags: bytes, modseqs: bytes) -> list[Row]:
        code = self.flags.code
        return [
            (uid, code(bits), modseq)
            for uid, bits, modseq in zip(uid_column(uids), wide_column(flags), wide_column(modseqs), strict=True)
        ]

    # What we ask

    def refresh_soon(self) -> None:
        """Ask for what changed, without anybody waiting for it."""
        self._refresh_task()

    def refresh_later(self) -> None:
        """We may have missed something, and can't ask now: go on trying while anybody watches."""
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(self._pause, self._try_again)
            self._pause = min(2 * self._pause, RETRY_MOST)

    def _try_again(self) -> None:
        self._retry = None
        if self.watchers and not self.gone:
            self.refresh_soon()

    async def reach(self, modseq: int) -> None:
        """Returns once all changes up to `modseq` are here. Raises BusError, MailboxGone.

        The events of a commit leave the mailstore before its reply does, so usually they are here already.
        """
        for _ in range(MAX_ROUNDS):
            if self.gone:
                raise MailboxGone
            if self.modseq >= modseq:
                return
            await asyncio.shield(self._refresh_task())

    async def refresh(self) -> None:
        """All that the mailstore knows at this moment, or later. Raises BusError, MailboxGone."""
        if self._refreshing is not None:
            await asyncio.wait((self._refreshing,))
        await asyncio.shield(self._refresh_task())
        if self.gone:
            raise MailboxGone

    def _refresh_task(self) -> asyncio.Task[None]:
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())
            self._refreshing.add_done_callback(self._refreshed)
        return self._refreshing

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if task.cancelled() or (error := task.exception()) is None:
            self._pause = RETRY_FIRST
        else:
            self.refresh_later()
            level = log.debug if isinstance(error, BusError) else log.error
            level("view not refreshed", account=self.account, mailbox=self.id, error=repr(error))
        waiting, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, False
        if self.gone:
            return
        taken = all(self._take(change) for change in waiting)
        if (dropped or not taken) and self._retry is None:
            self.refresh_soon()

    async def _refresh(self) -> None:
        try:
            if self.modseq == 0:
                await self._load()
            for _ in range(MAX_ROUNDS):
                if await self._catch_up():
                    return
        except OperationFailed as failure:
            if failure.code != "not_found":
                raise
            self._die()

    async def _ask(self, after_uid: int, since: int) -> ViewReply:
        request = ViewRequest(account=self.account, mailbox=self.id, after_uid=after_uid, since_modseq=since)
        reply = await call(self._bus, VIEW, request)
        info = reply.info
        self.name, self.uidvalidity = info.name, info.uidvalidity
        self.uidnext = max(self.uidnext, info.uidnext)
        self.flags.learn(reply.keywords)
        return reply

    async def _load(self) -> None:
        """The whole mailbox, for the first time or because we lost count."""
        rows = MailboxRows()
        first: int | None = None
        while True:
            reply = await self._ask(rows.newest, 0)
            # Later chunks may hold later changes; the first one's MODSEQ is what all of them have.
            first = reply.info.modseq if first is None else first
            rows.extend(uid_column(reply.uids), self.flags.codes(wide_column(reply.flags)), wide_column(reply.modseqs))
            if not reply.more or not reply.uids:
                break
        self.rows = rows
        self.modseq = first
        for watcher in list(self.watchers):
            watcher.selected.resync(self.columns, first)
            watcher.news()

    async def _catch_up(self) -> bool:
        """What changed since `modseq`. False: more has changed while that was read."""
        since = self.modseq
        first = last = None
        rows: list[Row] = []
        expunged: Sequence[int] = ()
        while True:
            reply = await self._ask(rows[-1][0] if rows else 0, since)
            last = reply.info
            if since < reply.forgotten:
                # We were away for so long that nobody can tell what was expunged meanwhile.
                await self._load()
                return True
            if first is None:
                first = last
                expunged = uid_column(reply.expunged)
            rows += self._rows_of(reply.uids, reply.flags, reply.modseqs)
            if not reply.more or not reply.uids:
                break
        split = bisect_left(rows, (self.rows.newest + 1,))
        if any(self.rows.index_of(row[0]) is None for row in rows[:split]):
            await self._load()
            return True
        if rows or expunged or first.modseq > self.modseq:
            self.modseq = max(self.modseq, first.modseq)
            self._apply(rows[split:], rows[:split], expunged)
        if last.modseq != first.modseq:
            return False
        if len(self.rows) != first.messages:
            # Tombstones are kept for a time only.
            log.info("view loaded anew", account=self.account, mailbox=self.id, known=len(self.rows))
            await self._load()
        return True

    def _apply(self, added: Sequence[Row], changed: Sequence[Row], expunged: Sequence[int]) -> None:
        newest = self.rows.apply(added, changed, expunged)
        self.uidnext = max(self.uidnext, newest + 1)
        changes = Changes(self.modseq, added, changed, expunged)
        for watcher in list(self.watchers):
            watcher.selected.apply(changes)
            watcher.news()

    def _die(self) -> None:
        if self.gone:
            return
        self.gone = True
        for watcher in list(self.watchers):
            watcher.gone()
