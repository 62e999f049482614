"""A view against a model of the mailstore: events are late, lost and out of step; chunks are small; tombstones go away.

Invariants: once a view has reached a MODSEQ it holds exactly what the mailbox held there or later; a session that was
told everything counts the same messages, with the same flags, as the mailbox does.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_contracts.store import MAILBOX_STATUS, VIEW, MailboxChange, MailboxInfo, ViewReply, ViewRequest
from barid_mss.views.shelf import Shelf
from barid_mss.views.status import Statuses
from barid_mss.views.view import MailboxGone, MailboxView
from barid_protocols.imap.selected import SelectedMailbox
from barid_runtime.bus.port import Bus, BusUnavailable, Listener, OperationFailed


def _u32(values: list[int]) -> bytes:
    return pack(f"<{len(values)}I", *values)


def _u64(values: list[int]) -> bytes:
    return pack(f"<{len(values)}Q", *values)


@dataclass
class Mailbox:
    """One mailbox as the mailstore keeps it, and a bus that asks it. Events pile up until they are let go."""

    chunk: int = 3
    modseq: int = 1
    uidnext: int = 1
    rows: dict[int, tuple[int, int]] = field(default_factory=dict)
    tombstones: dict[int, int] = field(default_factory=dict)
    forgotten: int = 0
    events: list[MailboxChange] = field(default_factory=list)
    listeners: dict[str, Listener] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    gone: bool = False
    pace: Callable[[], Coroutine[Any, Any, None]] | None = None

    def info(self) -> MailboxInfo:
        return MailboxInfo(
            id=7,
            name="INBOX",
            uidvalidity=1,
            uidnext=self.uidnext,
            modseq=self.modseq,
            messages=len(self.rows),
            unseen=0,
            size=0,
        )

    def commit(self, **columns: bytes) -> None:
        self.events.append(MailboxChange(mailbox=7, previous=self.modseq, modseq=self.modseq + 1, **columns))
        self.modseq += 1

    def add(self, count: int, flags: int) -> None:
        uids = list(range(self.uidnext, self.uidnext + count))
        self.uidnext += count
        self.rows.update((uid, (flags, self.modseq + 1)) for uid in uids)
        self.commit(added=_u32(uids), added_flags=_u64([flags] * count), added_modseqs=_u64([self.modseq + 1] * count))

    def flag(self, pick: int, flags: int) -> None:
        if self.rows:
            uid = sorted(self.rows)[pick % len(self.rows)]
            self.rows[uid] = (flags, self.modseq + 1)
            self.commit(changed=_u32([uid]), changed_flags=_u64([flags]), changed_modseqs=_u64([self.modseq + 1]))

    def expunge(self, pick: int, count: int) -> None:
        uids = sorted(self.rows)
        start = pick % len(uids) if uids else 0
        uids = uids[start : start + count]
        if uids:
            for uid in uids:
                del self.rows[uid]
                self.tombstones[uid] = self.modseq + 1
            self.commit(expunged=_u32(uids))

    # The bus

    async def request(self, subject: str, payload: bytes, *, timeout: float = 5) -> bytes:
        self.asked.append(subject)
        if self.pace is not None:
            await self.pace()
        await asyncio.sleep(0)
        if self.away:
            raise BusUnavailable("away")
        if self.gone:
            raise OperationFailed("not_found")
        if subject == MAILBOX_STATUS.subject:
            return self.info().model_dump_json().encode()
        assert subject == VIEW.subject
        return self._view(ViewRequest.model_validate_json(payload)).model_dump_json().encode()

    def _view(self, request: ViewRequest) -> ViewReply:
        since = request.since_modseq
        found = [(uid, *row) for uid, row in sorted(self.rows.items()) if uid > request.after_uid and row[1] > since]
        part = found[: self.chunk]
        expunged = [uid for uid, modseq in self.tombstones.items() if modseq > since]
        return ViewReply(
            info=self.info(),
            uids=_u32([row[0] for row in part]),
            flags=_u64([row[1] for row in part]),
            modseqs=_u64([row[2] for row in part]),
            expunged=_u32(expunged) if since and not request.after_uid else b"",
            forgotten=self.forgotten,
            more=len(found) > len(part),
        )

    async def subscribe(self, subject: str, listener: Listener) -> Any:
        self.listeners[subject] = listener
        return self

    async def drain(self) -> None:
        self.listeners.clear()

    def on_reconnect(self, callback: Any) -> None:
        self.back = callback

    @property
    def bus(self) -> Bus:
        return self  # type: ignore[return-value]


class Session:
    """A session that always tells at once."""

    def __init__(self, view: MailboxView) -> None:
        self.selected = SelectedMailbox(view.columns, view.flags.table, highest_modseq=view.modseq)
        self.told = list(self.selected.uids)
        self.ended = False
        view.watchers[self] = None

    def news(self) -> None:
        pass

    def gone(self) -> None:
        self.ended = True

    def state(self) -> dict[int, int]:
        self.selected.poll(True)
        return dict(zip(self.selected.uids, self.selected.codes, strict=True))


def _view_state(view: MailboxView) -> dict[int, int]:
    return dict(zip(view.rows.uids, view.rows.codes, strict=True))


Step = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 6), st.integers(0, 31)),
    st.tuples(st.just("flag"), st.integers(0, 20), st.integers(0, 31)),
    st.tuples(st.just("expunge"), st.integers(0, 20), st.integers(1, 12)),
    st.tuples(st.just("hear"), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("lose"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("forget"), st.just(0), st.just(0)),
    st.tuples(st.just("turn"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("reach"), st.just(0), st.just(0)),
    st.tuples(st.just("poll"), st.just(0), st.just(0)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(Step, max_size=40))
def test_a_view_ends_up_with_what_is_there(steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(_live(steps))


async def _live(steps: list[tuple[str, int, int]]) -> None:
    mailbox = Mailbox()
    mailbox.add(4, 0)
    mailbox.events.clear()
    view = MailboxView(mailbox.bus, "bob", mailbox.info())
    await view.reach(mailbox.modseq)
    session = Session(view)
    for name, first, second in steps:
        match name:
            case "add":
                mailbox.add(first, second)
            case "flag":
                mailbox.flag(first, second)
            case "expunge":
                mailbox.expunge(first, second)
            case "hear":
                for change in mailbox.events[:first]:
                    view.hear(change)
                del mailbox.events[:first]
            case "lose":
                del mailbox.events[:first]
            case "forget":
                mailbox.forgotten = max(mailbox.tombstones.values(), default=mailbox.forgotten)
                mailbox.tombstones.clear()
            case "turn":
                for _ in range(first):
                    await asyncio.sleep(0)
            case "reach":
                await view.reach(mailbox.modseq)
                assert _view_state(view) == {uid: flags for uid, (flags, _) in mailbox.rows.items()}
            case "poll":
                session.selected.poll(False)
    await view.reach(mailbox.modseq)
    wanted = {uid: flags for uid, (flags, _) in mailbox.rows.items()}
    assert _view_state(view) == wanted
    assert session.state() == wanted
    assert list(view.rows.uids) == sorted(wanted)
    assert session.selected.highest_modseq <= mailbox.modseq


async def test_events_alone_keep_a_view() -> None:
    mailbox = Mailbox()
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=1000)
    lease = await shelf.open("bob", "INBOX")
    session = Session(lease.view)
    mailbox.add(2, 1)
    mailbox.flag(0, 8)
    mailbox.asked.clear()
    for change in mailbox.events:
        lease.view.hear(change)
    assert session.state() == {1: 8, 2: 1}
    assert mailbox.asked == []


async def test_a_mailbox_that_is_gone_is_told_once() -> None:
    mailbox = Mailbox()
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=1000)
    lease = await shelf.open("bob", "INBOX")
    session = Session(lease.view)
    mailbox.gone = True
    with pytest.raises(MailboxGone):
        await shelf.check(lease.view)
    assert session.ended
    with pytest.raises(MailboxGone):
        await lease.view.reach(99)


async def test_an_outage_is_raised_to_who_waits_and_then_over() -> None:
    mailbox = Mailbox()
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=1000)
    lease = await shelf.open("bob", "INBOX")
    mailbox.add(1, 0)
    mailbox.away = True
    with pytest.raises(BusUnavailable):
        await lease.view.reach(mailbox.modseq)
    mailbox.away = False
    await lease.view.reach(mailbox.modseq)
    assert len(lease.view) == 1


async def test_after_the_bus_was_away_watched_views_are_checked() -> None:
    mailbox = Mailbox()
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=1000)
    lease = await shelf.open("bob", "INBOX")
    session = Session(lease.view)
    mailbox.add(1, 0)
    await mailbox.back()
    assert session.state() == {1: 0}


async def test_views_that_nobody_watches_are_kept_within_bounds() -> None:
    mailbox = Mailbox(chunk=1000)
    mailbox.add(500, 0)
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=1000)
    lease = await shelf.open("bob", "INBOX")
    session = Session(lease.view)
    lease.watch(session)
    other = await shelf.open("eve", "INBOX")
    other.close()
    shelf.sweep(asyncio.get_running_loop().time())
    assert shelf.size == 2
    third = await shelf.open("joe", "INBOX")
    third.close()
    shelf.sweep(asyncio.get_running_loop().time())
    assert shelf.size == 2
    assert shelf.find("bob", "INBOX") is lease.view
    lease.close()
    lease.close()
    shelf.sweep(asyncio.get_running_loop().time() + 1000)
    await asyncio.sleep(0)
    assert mailbox.listeners == {}


async def test_a_second_select_asks_only_what_changed() -> None:
    mailbox = Mailbox(chunk=1000)
    mailbox.add(500, 0)
    shelf = Shelf(mailbox.bus, Statuses(mailbox.bus), most_rows=10_000)
    (await shelf.open("bob", "INBOX")).close()
    mailbox.asked.clear()
    (await shelf.open("bob", "INBOX")).close()
    assert mailbox.asked == [MAILBOX_STATUS.subject]
    mailbox.add(1, 0)
    mailbox.asked.clear()
    (await shelf.open("bob", "INBOX")).close()
    assert mailbox.asked == [MAILBOX_STATUS.subject, VIEW.subject]


async def test_questions_at_one_time_share_an_answer_that_is_newer_than_all_of_them() -> None:
    mailbox = Mailbox()
    gate = asyncio.Event()
    mailbox.pace = gate.wait  # type: ignore[assignment]
    statuses = Statuses(mailbox.bus)
    first = asyncio.ensure_future(statuses.ask("bob", "INBOX"))
    await asyncio.sleep(0)
    followers = [asyncio.ensure_future(statuses.ask("bob", "INBOX")) for _ in range(10)]
    await asyncio.sleep(0)
    assert len(mailbox.asked) == 1
    mailbox.add(1, 0)
    gate.set()
    await asyncio.gather(first, *followers)
    assert {(await follower).messages for follower in followers} == {1}
    assert len(mailbox.asked) == 2


async def test_a_follower_that_leaves_takes_nobody_along() -> None:
    mailbox = Mailbox()
    gate = asyncio.Event()
    mailbox.pace = gate.wait  # type: ignore[assignment]
    statuses = Statuses(mailbox.bus)
    tasks = [asyncio.ensure_future(statuses.ask("bob", "INBOX")) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[1].cancel()
    gate.set()
    assert (await tasks[2]).messages == 0
