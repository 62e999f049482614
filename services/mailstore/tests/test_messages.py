"""Messages of a mailbox: flags, copies, expunging, appending, views and what readers are told."""

import time

import pytest

from barid_contracts import store
from barid_mailstore.adapters.tables import copying, messages
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import OperationFailed

from .desk import NOW, Desk, filed, make_mail, new_mailstore, uids, wide


async def fill(desk: Desk, count: int, account: str = "bob") -> None:
    mails = [make_mail(account) for _ in range(count)]
    await desk.settle(mails, [filed(mail) for mail in mails])


async def test_flags(desk: Desk) -> None:
    await fill(desk, 4)
    before = (await desk.box("bob")).modseq
    reply = await desk.flag("bob", "INBOX", [1, 2, 9], "add", "\\Seen", "$Mine")
    assert uids(reply.uids) == [1, 2]
    assert wide(reply.flags) == [257, 257]
    assert wide(reply.modseqs) == [before + 1] * 2
    assert reply.keywords == ["$Mine"]
    reply = await desk.flag("bob", "INBOX", [1, 2, 3], "add", "\\Seen")
    assert wide(reply.modseqs) == [before + 1, before + 1, before + 2], "only what really changes gets a new MODSEQ"
    reply = await desk.flag("bob", "INBOX", None, "set", "\\Deleted")
    assert reply.modseq == before + 3
    assert await desk.rows("bob") == dict.fromkeys(range(1, 5), 8)
    box = await desk.box("bob")
    assert (box.unseen, box.deleted) == (4, 4)
    reply = await desk.flag("bob", "INBOX", None, "remove", "\\Deleted", "$Unknown")
    assert reply.keywords == ["$Mine"]
    assert (await desk.box("bob")).deleted == 0
    assert (await desk.flag("bob", "INBOX", None, "remove", "\\Deleted")).modseq == before + 4, "nothing changed"


async def test_flags_unchanged_since(desk: Desk) -> None:
    await fill(desk, 3)
    since = (await desk.box("bob")).modseq
    await desk.flag("bob", "INBOX", [2], "add", "\\Seen")
    reply = await desk.flag("bob", "INBOX", None, "add", "\\Flagged", unchanged_since=since)
    assert reply.modified == [2]
    assert await desk.rows("bob") == {1: 4, 2: 1, 3: 4}


async def test_keywords_end_with_their_bits(desk: Desk) -> None:
    await fill(desk, 1)
    with pytest.raises(OperationFailed) as refused:
        await desk.flag("bob", "INBOX", [1], "add", *[f"word{n}" for n in range(56)])
    assert refused.value.code == "limit"
    reply = await desk.flag("bob", "INBOX", [1], "add", *[f"word{n}" for n in range(55)])
    assert len(reply.keywords) == 55
    (flags,) = wide(reply.flags)
    assert flags == ((1 << 55) - 1) << 8
    (flags,) = wide((await desk.view("bob")).flags)
    assert flags == ((1 << 55) - 1) << 8


async def test_copies_keep_flags_and_dates_under_the_targets_keywords(desk: Desk) -> None:
    await fill(desk, 3)
    await desk.flag("bob", "INBOX", [1], "add", "first", "second")
    await desk.flag("bob", "INBOX", [3], "add", "second", "\\Seen")
    await desk.flag("bob", "Trash", None, "add", "other")
    reply = await desk.copy("bob", "INBOX", [3, 1, 77], "Archive")
    assert uids(reply.source) == [1, 3]
    assert uids(reply.target) == [1, 2]
    view = await desk.view("bob", "Archive")
    assert sorted(view.keywords) == ["first", "second"]
    names = view.keywords
    first, second = (1 << 8 + names.index(name) for name in ("first", "second"))
    assert wide(view.flags) == [first | second, second | 1]
    assert view.info.unseen == 1
    assert view.info.size == 2 * (await desk.box("bob")).size // 3
    assert (await desk.copy("bob", "INBOX", [77], "Archive")).source == b""
    assert await desk.refused(desk.copy("bob", "INBOX", [1], "Nowhere")) == "not_found"


async def test_moving(desk: Desk) -> None:
    await fill(desk, 3)
    await desk.listen("bob")
    reply = await desk.copy("bob", "INBOX", [1, 3], "Archive", move=True)
    assert uids(reply.source) == [1, 3]
    assert list(await desk.rows("bob")) == [2]
    assert list(await desk.rows("bob", "Archive")) == [1, 2]
    await desk.until(lambda: desk.events)
    (event,) = desk.events
    assert sorted((uids(change.added), uids(change.expunged)) for change in event.changes) == [
        ([], [1, 3]),
        ([1, 2], []),
    ]
    again = await desk.copy("bob", "INBOX", [2], "INBOX", move=True)
    assert uids(again.target) == [4]
    assert list(await desk.rows("bob")) == [4]


async def test_expunging(desk: Desk) -> None:
    await fill(desk, 5)
    since = (await desk.box("bob")).modseq
    assert (await desk.expunge("bob")).expunged == b""
    await desk.flag("bob", "INBOX", [2, 4, 5], "add", "\\Deleted")
    assert uids((await desk.expunge("bob", numbers=[1, 2])).expunged) == [2]
    assert uids((await desk.expunge("bob")).expunged) == [4, 5]
    assert uids((await desk.expunge("bob", numbers=[1], only_deleted=False)).expunged) == [1]
    box = await desk.box("bob")
    assert (box.messages, box.unseen, box.deleted) == (1, 1, 0)
    view = await desk.view("bob", since_modseq=since)
    assert sorted(uids(view.expunged)) == [1, 2, 4, 5]
    await fill(desk, 1)
    assert list(await desk.rows("bob")) == [3, 6], "UIDs are never given twice"


async def test_bodies_go_with_their_last_message(desk: Desk, mailstore: Mailstore) -> None:
    await fill(desk, 2)
    await desk.copy("bob", "INBOX", [1], "Archive")
    assert mailstore.doors is not None
    bodies = mailstore.doors.store.bodies
    pack = "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV/000001.pack"
    for name, numbers in (("INBOX", [1, 2]), ("Archive", [1])):
        await desk.expunge("bob", name, numbers, only_deleted=False)
        while await bodies.sweep():
            pass
        kept = await bodies.referenced([pack, "objects/none"])
        assert kept == ([pack] if name == "INBOX" else [])


async def test_appending(desk: Desk) -> None:
    await desk.box("bob")
    mail = make_mail(subject="draft")
    request = store.AppendRequest(account="bob", mailbox="Drafts", mail=mail, flags=["\\Draft", "\\Seen"], date=NOW - 5)
    reply = await desk.ask(store.APPEND, request)
    box = await desk.box("bob", "Drafts")
    assert (reply.uid, reply.uidvalidity, reply.mailbox_id, reply.modseq) == (1, box.uidvalidity, box.id, box.modseq)
    assert await desk.ask(store.APPEND, request) == reply, "asked twice, done once"
    assert await desk.rows("bob", "Drafts") == {1: 17}
    request = store.SummariesRequest(account="bob", mailbox=box.id, uids=[1], fields=["date", "size", "body"])
    (row,) = (await desk.ask(store.SUMMARIES, request)).rows
    assert row.date == NOW - 5
    assert row.prefix == mail.trace
    nowhere = store.AppendRequest(account="bob", mailbox="Nowhere", mail=make_mail(), date=NOW)
    assert await desk.refused(desk.ask(store.APPEND, nowhere)) == "not_found"


async def test_views_come_in_chunks_and_by_changes(desk: Desk) -> None:
    await fill(desk, 25)
    await desk.flag("bob", "INBOX", [3, 24], "add", "\\Seen")
    since = (await desk.box("bob")).modseq
    got: list[int] = []
    while True:
        view = await desk.view("bob", after_uid=got[-1] if got else 0, limit=10)
        got += uids(view.uids)
        if not view.more:
            break
    assert got == list(range(1, 26))
    assert view.info.messages == 25
    await desk.flag("bob", "INBOX", [7], "add", "\\Seen")
    await desk.expunge("bob", numbers=[9], only_deleted=False)
    await fill(desk, 1)
    view = await desk.view("bob", since_modseq=since)
    assert uids(view.uids) == [7, 26]
    assert uids(view.expunged) == [9]
    assert view.info.modseq == since + 3
    view = await desk.view("bob", since_modseq=since, expunged_only=True)
    assert (uids(view.uids), uids(view.expunged)) == ([], [9])


async def test_summaries_stop_at_what_a_reply_holds(desk: Desk) -> None:
    mails = [make_mail("bob", headers="X: " + "y" * 60_000 + "\r\n\r\n") for _ in range(30)]
    await desk.settle(mails, [filed(mail) for mail in mails])
    box = await desk.box("bob")
    wanted, got, replies = [*range(1, 31), 99], [], 0
    while wanted:
        reply = await desk.ask(
            store.SUMMARIES, store.SummariesRequest(account="bob", mailbox=box.id, uids=wanted, fields=["headers"])
        )
        got += [row.uid for row in reply.rows]
        wanted = reply.more
        replies += 1
        assert len(reply.rows) <= 12
    assert got == list(range(1, 31))
    assert replies == 3


async def test_summaries_of_any_bytes(desk: Desk, settings: Settings) -> None:
    """Every byte comes back as the code point of its number, but NUL, which PostgreSQL can't hold and no client can be
    sent; headers that were cut say so."""
    octets = bytes(range(256)).decode("latin-1")
    mail = make_mail(
        "bob", headers=octets, envelope=octets, structure=octets, parts=octets, trace=octets, headers_cut=True
    )
    await desk.settle([mail], [filed(mail)])
    box = await desk.box("bob")
    fields = ["envelope", "structure", "headers", "body", "no_such_field"]
    reply = await desk.ask(
        store.SUMMARIES, store.SummariesRequest(account="bob", mailbox=box.id, uids=[1, 1, 7], fields=fields)
    )
    (row,) = reply.rows
    if settings.place.url:
        octets = octets.replace("\0", " ")
    assert row.prefix.endswith("\r\n" + octets)
    assert row.headers == row.prefix + octets
    assert row.headers_cut
    assert (row.envelope, row.structure, row.parts) == (octets, octets, octets)
    assert reply.more == []
    nothing = store.SummariesRequest(account="bob", mailbox=box.id, uids=[], fields=[])
    assert (await desk.ask(store.SUMMARIES, nothing)).rows == []


async def test_finding(desk: Desk) -> None:
    await desk.deliver("bob", subject="Weekly Straße")
    await desk.deliver("bob", subject="other")
    third = await desk.deliver("bob", "Junk", subject="weekly two")

    async def find(**wanted: object) -> list[tuple[str, int]]:
        reply = await desk.ask(store.FIND, store.FindRequest(account="bob", **wanted))
        return [(found.mailbox, found.uid) for found in reply.found]

    assert await find() == [("Junk", 1), ("INBOX", 2), ("INBOX", 1)]
    assert await find(subject="WEEKLY") == [("Junk", 1), ("INBOX", 1)]
    assert await find(subject="strasse") == [("INBOX", 1)]
    assert await find(mailbox="inbox", limit=1) == [("INBOX", 2)]
    assert await find(message_id=third.message_id) == [("Junk", 1)]
    assert await find(sender="<ann@far") == [("Junk", 1), ("INBOX", 2), ("INBOX", 1)]
    assert await find(since=NOW + 1) == []


async def test_a_view_of_ten_thousand(desk: Desk, mailstore: Mailstore) -> None:
    """Sets, not loops: the whole mailbox is flagged, copied, read and expunged without a statement per message."""
    assert mailstore.doors is not None
    await desk.box("bob")
    for _ in range(10):
        await fill(desk, 1000)
    begun = time.perf_counter()
    await desk.flag("bob", "INBOX", None, "add", "\\Deleted")
    await desk.copy("bob", "INBOX", list(range(1, 10_001)), "Archive")
    assert len(uids((await desk.view("bob", limit=20_000)).uids)) == 10_000
    await desk.expunge("bob")
    taken = time.perf_counter() - begun
    assert (await desk.box("bob")).messages == 0
    assert (await desk.box("bob", "Archive")).deleted == 10_000
    assert taken < 5, f"{taken:.1f} s"


async def test_a_large_change_is_told_as_a_gap(desk: Desk, monkeypatch: object) -> None:
    from barid_mailstore.policy import changes

    monkeypatch.setattr(changes, "MAX_EVENT_ROWS", 5)  # type: ignore[attr-defined]
    await fill(desk, 3)
    await desk.listen("bob")
    await fill(desk, 9)
    await desk.until(lambda: desk.events)
    (change,) = desk.events[0].changes
    assert change.previous == change.modseq
    assert change.added == b""


async def test_too_much_for_one_transaction_or_reply(desk: Desk, monkeypatch: object) -> None:
    monkeypatch.setattr(copying, "MOST_COPIES", 5)  # type: ignore[attr-defined]
    monkeypatch.setattr(messages, "MOST_ROWS", 5)  # type: ignore[attr-defined]
    await fill(desk, 9)
    assert await desk.refused(desk.copy("bob", "INBOX", list(range(1, 10)), "Trash")) == "invalid"
    reply = await desk.flag("bob", "INBOX", None, "add", "\\Seen")
    assert reply.partial
    assert uids(reply.uids) == [1, 2, 3, 4, 5]
    assert (await desk.box("bob")).unseen == 0


async def test_all_of_it_survives_a_restart(desk: Desk, mailstore: Mailstore, settings: Settings) -> None:
    await fill(desk, 5)
    await desk.flag("bob", "INBOX", [1, 2], "add", "\\Seen", "$Kept")
    await desk.expunge("bob", numbers=[5], only_deleted=False)
    before = await desk.view("bob")
    await mailstore.drain()
    again = new_mailstore(settings)
    await again.start()
    try:
        assert await desk.view("bob") == before
        await fill(desk, 1)
        assert list(await desk.rows("bob")) == [1, 2, 3, 4, 6]
    finally:
        await again.drain()
