"""Settling: exactly once, in one transaction, told to readers."""

import asyncio

from barid_contracts import settle, store
from barid_contracts.mail import Key
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.database.port import DatabaseFull

from .desk import Desk, filed, make_mail, new_mailstore, uids, wide


async def test_a_mail_is_filed_in_the_inbox(desk: Desk) -> None:
    mail = make_mail("bob")
    assert await desk.settle([mail], [filed(mail)]) == ["done"]
    box = await desk.box("bob")
    assert (box.messages, box.unseen, box.uidnext) == (1, 1, 2)
    (row,) = (
        await desk.ask(
            store.SUMMARIES,
            store.SummariesRequest(
                account="bob", mailbox=box.id, uids=[1], fields=["size", "date", "envelope", "headers", "body"]
            ),
        )
    ).rows
    prefix = "Return-Path: <ann@far.test>\r\nDelivered-To: bob@here.test\r\nReceived: by mx.here.test; now\r\n"
    assert row.prefix == prefix
    assert row.size == len(prefix) + mail.size == box.size
    assert row.headers == prefix + mail.headers
    assert row.envelope == mail.envelope
    assert row.date == mail.at // 1000
    assert row.ref == mail.ref
    assert row.mail_id == mail.mail_id


async def test_the_usual_mailboxes_are_made_and_subscribed_at_first_touch(desk: Desk) -> None:
    await desk.deliver("bob")
    boxes = await desk.names("bob")
    assert {name: box.special_use for name, box in boxes.items()} == {
        "INBOX": "",
        "Drafts": "\\Drafts",
        "Sent": "\\Sent",
        "Junk": "\\Junk",
        "Trash": "\\Trash",
        "Archive": "\\Archive",
    }
    assert all(box.subscribed for box in boxes.values())


async def test_a_repeated_settling_changes_nothing(desk: Desk) -> None:
    mail = make_mail("bob")
    assert await desk.settle([mail], [filed(mail)]) == ["done"]
    assert await desk.settle([mail], [filed(mail)]) == ["repeated"]
    assert await desk.settle([mail], [filed(mail), filed(mail)]) == ["repeated", "repeated"]
    assert (await desk.box("bob")).messages == 1


async def test_the_same_key_twice_in_one_request(desk: Desk) -> None:
    mail = make_mail("bob")
    assert await desk.settle([mail], [filed(mail), filed(mail)]) == ["done", "repeated"]
    assert (await desk.box("bob")).messages == 1


async def test_repeated_after_a_restart(desk: Desk, mailstore: Mailstore, settings: Settings) -> None:
    mail = make_mail("bob")
    assert await desk.settle([mail], [filed(mail)]) == ["done"]
    await mailstore.drain()
    again = new_mailstore(settings)
    await again.start()
    try:
        assert await desk.settle([mail], [filed(mail)]) == ["repeated"]
        other = make_mail("bob")
        assert await desk.settle([mail, other], [filed(mail), filed(other)]) == ["repeated", "done"]
        assert list(await desk.rows("bob")) == [1, 2]
    finally:
        await again.drain()


async def test_repeated_even_when_the_user_has_deleted_it(desk: Desk) -> None:
    mail = await desk.deliver("bob")
    await desk.expunge("bob", only_deleted=False)
    assert await desk.settle([mail], [filed(mail)]) == ["repeated"]
    assert (await desk.box("bob")).messages == 0


async def test_recipients_share_one_body(desk: Desk) -> None:
    mail = make_mail("bob", "carl", "dora")
    assert await desk.settle([mail], [filed(mail, n) for n in range(2)]) == ["done", "done"]
    assert await desk.settle([mail], [filed(mail, 2)]) == ["done"]
    for name in ("bob", "carl", "dora"):
        box = await desk.box(name)
        request = store.SummariesRequest(account=name, mailbox=box.id, uids=[1], fields=["body"])
        (row,) = (await desk.ask(store.SUMMARIES, request)).rows
        assert row.ref == mail.ref
        assert f"Delivered-To: {name}@here.test" in row.prefix


async def test_filing_by_a_script(desk: Desk) -> None:
    await desk.box("bob")
    await desk.ask(store.MAILBOX_CREATE, store.MailboxCreate(account="bob", name="Lists/python"))
    mail = make_mail("bob")
    filings = [
        settle.Filing(mailbox="Lists/python", flags=["\\Seen", "$Important"]),
        settle.Filing(mailbox="inbox", flags=["\\Flagged"]),
        settle.Filing(mailbox="Lists/python", flags=["\\Flagged"]),
    ]
    assert await desk.settle([mail], [filed(mail, filings=filings)]) == ["done"]
    view = await desk.view("bob", "Lists/python")
    assert view.keywords == ["$Important"]
    assert await desk.rows("bob", "Lists/python") == {1: 1 | 4 | 1 << 8}
    assert await desk.rows("bob") == {1: 4}
    assert (await desk.box("bob", "Lists/python")).unseen == 0


async def test_a_missing_folder_is_made_only_if_asked(desk: Desk) -> None:
    await desk.deliver("bob", "Lists")
    assert list(await desk.rows("bob")) == [1]
    mail = make_mail("bob")
    make = [settle.Filing(mailbox="Lists/new", create=True)]
    assert await desk.settle([mail], [filed(mail, filings=make)]) == ["done"]
    boxes = await desk.names("bob")
    assert boxes["Lists/new"].messages == 1
    assert boxes["Lists/new"].subscribed
    bad = make_mail("bob")
    worse = [settle.Filing(mailbox="bad*\r\nname", create=True)]
    assert await desk.settle([bad], [filed(bad, filings=worse)]) == ["done"]
    assert (await desk.box("bob")).messages == 2


async def test_a_detail_may_differ_in_case(desk: Desk) -> None:
    """Exactly if it can; else the one that differs in case alone; never for a script's fileinto."""
    for name in ("Lists", "Straße", "news", "News"):
        await desk.ask(store.MAILBOX_CREATE, store.MailboxCreate(account="bob", name=name))

    async def lands(name: str, **how: bool) -> list[str]:
        before = {name: box.messages for name, box in (await desk.names("bob")).items()}
        mail = make_mail("bob")
        assert await desk.settle([mail], [filed(mail, filings=[settle.Filing(mailbox=name, **how)])]) == ["done"]
        after = {name: box.messages for name, box in (await desk.names("bob")).items()}
        return [name for name, messages in after.items() if messages != before.get(name, 0)]

    assert await lands("lists", detail=True) == ["Lists"]
    assert await lands("STRASSE", detail=True) == ["Straße"]
    assert await lands("news", detail=True) == ["news"]
    assert await lands("NEWS", detail=True) == ["INBOX"]
    assert await lands("lists") == ["INBOX"]
    assert await lands("LISTS", detail=True, create=True) == ["Lists"]
    assert await lands("lists", create=True) == ["lists"]


async def test_a_stale_script_settles_nothing(desk: Desk) -> None:
    await desk.box("bob")
    text = 'require "fileinto"; fileinto "Junk";'
    await desk.ask(settle.SIEVE_PUT, settle.ScriptPut(account="bob", name="mine", text=text))
    active = await desk.ask(settle.ACTIVE_SCRIPT, settle.ActiveScriptRequest(account="bob"))
    assert active.text == text
    assert active.etag
    mail = make_mail("bob")
    assert await desk.settle([mail], [filed(mail)]) == ["stale"]
    for outcome in ("discarded", "redirected"):
        gone = settle.Settlement(mail_id=mail.mail_id, n=0, account="bob", outcome=outcome)
        assert await desk.settle([mail], [gone]) == ["stale"]
    assert (await desk.ask(settle.MAILSTORE_MISSING, settle.MissingRequest(keys=[Key(mail_id=mail.mail_id, n=0)]))).keys
    assert await desk.settle([mail], [filed(mail, 0, "Junk", script=active.etag)]) == ["done"]
    await desk.ask(settle.SIEVE_ACTIVATE, settle.ScriptName(account="bob", name=""))
    other = make_mail("bob")
    assert await desk.settle([other], [filed(other, script=active.etag)]) == ["stale"]
    assert await desk.settle([other], [filed(other)]) == ["done"]


async def test_discarded_and_bounced_leave_no_message(desk: Desk) -> None:
    mail = make_mail("bob", "nobody")
    settlements = [
        settle.Settlement(mail_id=mail.mail_id, n=0, account="bob", outcome="discarded", rules=["discard"]),
        settle.Settlement(mail_id=mail.mail_id, n=1, account="nobody", outcome="bounced", reason="account is gone"),
    ]
    assert await desk.settle([mail], settlements) == ["done", "done"]
    assert (await desk.box("bob")).messages == 0
    keys = [Key(mail_id=mail.mail_id, n=n) for n in range(3)]
    reply = await desk.ask(settle.MAILSTORE_MISSING, settle.MissingRequest(keys=keys))
    assert reply.keys == [keys[2]]


async def test_concurrent_settlings_of_the_same_mails(desk: Desk) -> None:
    mails = [make_mail("bob", "carl") for _ in range(20)]
    settlements = [filed(mail, n) for mail in mails for n in (0, 1)]
    answers = await asyncio.gather(*[desk.settle(mails, settlements) for _ in range(8)])
    assert sorted(status for answer in answers for status in answer) == ["done"] * 40 + ["repeated"] * 280
    for name in ("bob", "carl"):
        assert list(await desk.rows(name)) == list(range(1, 21))


async def test_uid_order_is_commit_order(desk: Desk) -> None:
    """What the events say, in the order in which they come, is a gapless sequence of UIDs and MODSEQs."""
    await desk.box("bob")
    await desk.listen("bob")
    mails = [make_mail("bob") for _ in range(200)]
    await asyncio.gather(*[desk.settle([mail], [filed(mail)]) for mail in mails])
    await desk.until(lambda: sum(len(uids(c.added)) for e in desk.events for c in e.changes) == 200)
    changes = [change for event in desk.events for change in event.changes]
    assert [uid for change in changes for uid in uids(change.added)] == list(range(1, 201))
    assert [change.previous for change in changes[1:]] == [change.modseq for change in changes[:-1]]
    view = await desk.view("bob")
    assert wide(view.modseqs) == [modseq for change in changes for modseq in wide(change.added_modseqs)]


async def test_a_request_that_can_not_be_is_refused_whole(desk: Desk) -> None:
    mail, stranger = make_mail("bob"), make_mail("bob")
    await desk.box("bob")
    assert await desk.refused(desk.settle([mail], [filed(mail), filed(stranger)])) == "invalid"
    assert (await desk.box("bob")).messages == 0
    assert await desk.settle([mail], [filed(mail)]) == ["done"]
    assert list(await desk.rows("bob")) == [1]
    lost = mail.model_copy(update={"ref": None, "mail_id": make_mail("bob").mail_id})
    assert await desk.refused(desk.settle([lost], [filed(lost)])) == "invalid"
    assert list(await desk.rows("bob")) == [1]


async def test_lines_can_not_be_forged_by_an_address(desk: Desk) -> None:
    mail = make_mail("bob", reverse_path="a\r\nX-Evil: yes")
    assert await desk.settle([mail], [filed(mail, delivered_to="jörg@here.test")]) == ["done"]
    box = await desk.box("bob")
    request = store.SummariesRequest(account="bob", mailbox=box.id, uids=[1], fields=["body"])
    (row,) = (await desk.ask(store.SUMMARIES, request)).rows
    assert row.prefix.startswith("Return-Path: <aX-Evil: yes>\r\nDelivered-To: ")
    assert "jörg@here.test".encode().decode("latin-1") in row.prefix


async def test_a_full_disk_is_unavailable_and_then_it_works(desk: Desk, mailstore: Mailstore) -> None:
    mail = make_mail("bob")
    await desk.box("bob")
    assert mailstore.doors is not None
    index = mailstore.doors.store.settling._index  # type: ignore[attr-defined]
    database = index._database

    class Full:
        async def write(self, work: object) -> None:
            raise DatabaseFull("no space left")

    index._database = Full()
    assert await desk.refused(desk.settle([mail], [filed(mail)])) == "unavailable"
    index._database = database
    assert await desk.settle([mail], [filed(mail)]) == ["done"]


async def test_readers_are_told_of_a_start(desk: Desk, mailstore: Mailstore, settings: Settings) -> None:
    await mailstore.drain()
    await desk.listen()
    again = new_mailstore(settings)
    await again.start()
    try:
        await desk.until(lambda: desk.events)
        assert desk.events[0].account == ""
    finally:
        await again.drain()
