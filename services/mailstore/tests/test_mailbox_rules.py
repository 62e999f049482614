"""Mailboxes by name: what RFC 3501 §6.3 says of creating, deleting, renaming and subscribing."""

import pytest

from barid_contracts import store

from .desk import Desk


async def create(desk: Desk, name: str, **more: str) -> store.MailboxInfo:
    made: store.MailboxInfo = await desk.ask(
        store.MAILBOX_CREATE, store.MailboxCreate(account="bob", name=name, **more)
    )
    return made


async def delete(desk: Desk, name: str) -> None:
    await desk.ask(store.MAILBOX_DELETE, store.MailboxName(account="bob", name=name))


async def rename(desk: Desk, name: str, to: str) -> None:
    await desk.ask(store.MAILBOX_RENAME, store.MailboxRename(account="bob", name=name, new_name=to))


async def test_inbox_has_every_spelling(desk: Desk) -> None:
    assert (await desk.box("bob", "inBox")).name == "INBOX"
    assert await desk.refused(create(desk, "Inbox")) == "conflict"
    assert (await create(desk, "inbox/sub")).name == "INBOX/sub"
    assert await desk.refused(delete(desk, "inbox")) == "invalid"


async def test_superiors_are_made(desk: Desk) -> None:
    await create(desk, "a/b/c")
    assert {"a", "a/b", "a/b/c"} <= set(await desk.names("bob"))


@pytest.mark.parametrize("name", ["", "/", "a//b", "x*", "100%", "line\nend", "n" * 300, " "])
async def test_names_that_can_not_be(desk: Desk, name: str) -> None:
    assert await desk.refused(create(desk, name)) == "invalid"


async def test_nobody_elses_mailbox_is_found(desk: Desk) -> None:
    box = await desk.box("bob")
    assert await desk.refused(desk.ask(store.VIEW, store.ViewRequest(account="eve", mailbox=box.id))) == "not_found"
    request = store.StoreRequest(account="eve", mailbox=box.id, uids=None, mode="set", flags=[])
    assert await desk.refused(desk.ask(store.STORE, request)) == "not_found"
    assert await desk.refused(desk.box("bob", "Nowhere")) == "not_found"


async def test_uidvalidity_rises_when_a_name_is_made_again(desk: Desk) -> None:
    seen = []
    for _ in range(4):
        box = await create(desk, "again")
        seen.append(box.uidvalidity)
        await delete(desk, "again")
    assert seen == sorted(set(seen))


async def test_a_name_taken_by_renaming_never_repeats_a_uidvalidity(desk: Desk) -> None:
    early = await create(desk, "early")
    late = await create(desk, "late")
    await delete(desk, "late")
    await rename(desk, "early", "late")
    now = await desk.box("bob", "late")
    assert now.id == early.id
    assert now.uidvalidity > late.uidvalidity


async def test_renaming_takes_inferiors_along(desk: Desk) -> None:
    await desk.deliver("bob")
    await create(desk, "a/b")
    await create(desk, "ab")
    await desk.copy("bob", "INBOX", [1], "a/b")
    before = await desk.names("bob")
    await rename(desk, "a", "x/y")
    after = await desk.names("bob")
    assert "a" not in after
    assert "a/b" not in after
    assert "ab" in after
    assert after["x/y/b"].id == before["a/b"].id
    assert after["x/y/b"].messages == 1
    assert "x" in after


async def test_renaming_refuses(desk: Desk) -> None:
    await create(desk, "a")
    await create(desk, "b")
    assert await desk.refused(rename(desk, "a", "b")) == "conflict"
    assert await desk.refused(rename(desk, "nowhere", "c")) == "not_found"
    assert await desk.refused(rename(desk, "a", "a/b")) == "invalid"
    assert await desk.refused(rename(desk, "a", "inbox")) == "conflict"


async def test_renaming_inbox_empties_it(desk: Desk) -> None:
    await desk.deliver("bob")
    await desk.deliver("bob")
    await desk.flag("bob", "INBOX", [2], "add", "\\Seen", "$Later")
    before = await desk.box("bob")
    await desk.listen("bob")
    await rename(desk, "INBOX", "old/mail")
    inbox = await desk.box("bob")
    moved = await desk.box("bob", "old/mail")
    assert (inbox.messages, inbox.unseen, inbox.size) == (0, 0, 0)
    assert inbox.id == before.id
    assert inbox.uidnext == before.uidnext
    assert (moved.messages, moved.unseen, moved.size) == (2, 1, before.size)
    assert list(await desk.rows("bob", "old/mail")) == [1, 2]
    assert (await desk.view("bob", "old/mail")).keywords == ["$Later"]
    await desk.deliver("bob")
    assert list(await desk.rows("bob")) == [3]


async def test_deleting_one_with_inferiors_leaves_its_name(desk: Desk) -> None:
    await desk.deliver("bob")
    old = await create(desk, "a")
    await create(desk, "a/b")
    await desk.copy("bob", "INBOX", [1], "a")
    await delete(desk, "a")
    boxes = await desk.names("bob")
    assert not boxes["a"].selectable
    assert await desk.refused(desk.box("bob", "a")) == "not_found"
    assert await desk.refused(delete(desk, "a")) == "conflict"
    assert await desk.refused(desk.copy("bob", "INBOX", [1], "a")) == "not_found"
    again = await create(desk, "a")
    assert again.messages == 0
    assert again.uidvalidity > old.uidvalidity
    assert again.id != old.id


async def test_deleting_tells_those_who_have_it_selected(desk: Desk) -> None:
    box = await create(desk, "a")
    await desk.listen("bob")
    await delete(desk, "a")
    await desk.until(lambda: desk.events)
    assert desk.events[0].mailboxes
    assert [(change.mailbox, change.gone) for change in desk.events[0].changes] == [(box.id, True)]


async def test_subscribing_to_what_does_not_exist(desk: Desk) -> None:
    async def subscribe(name: str, subscribed: bool) -> None:
        request = store.MailboxSubscribe(account="bob", name=name, subscribed=subscribed)
        await desk.ask(store.MAILBOX_SUBSCRIBE, request)

    await subscribe("gone", True)
    await subscribe("Trash", False)
    reply = await desk.ask(store.MAILBOXES, store.AccountRef(account="bob"))
    assert reply.subscribed_only == ["gone"]
    assert not {box.name: box for box in reply.mailboxes}["Trash"].subscribed
    await subscribe("gone", False)
    assert not (await desk.ask(store.MAILBOXES, store.AccountRef(account="bob"))).subscribed_only


async def test_special_use_at_creation(desk: Desk) -> None:
    assert (await create(desk, "Old", special_use="\\All")).special_use == "\\All"
    assert await desk.refused(create(desk, "Spam", special_use="\\Junk")) == "invalid"
    assert await desk.refused(create(desk, "Odd", special_use="\\Odd")) == "invalid"
