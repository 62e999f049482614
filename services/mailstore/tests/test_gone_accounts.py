"""Accounts that the directory does not know any more: their mail is kept for a grace, then goes, whatever crashes."""

import asyncio
from pathlib import Path

from barid_contracts import settle, store
from barid_contracts.directory import DIRECTORY_CHANGED, Account, DirectoryChanged
from barid_mailstore.adapters.tables import bodies
from barid_mailstore.handlers.reconciler import Reconciler
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import announce
from barid_testing.fixtures import ManualClock

from .desk import Desk, People, filed, forget, make_mail, new_mailstore, rows_of, swept
from .journals import Relay, accept, owed, states
from .test_children import vacation

DAY = 86_400.0
OF_ACCOUNTS = ("account", "mailbox", "message", "subscription", "script", "vacation", "tombstone", "retired", "grave")


async def lose(desk: Desk, people: People, account: str, mailstore: Mailstore) -> None:
    """The directory deletes it and says so."""
    people.gone.add(account)
    await announce(desk.bus, DIRECTORY_CHANGED, DirectoryChanged(account=account))
    await known_to_be_gone(mailstore, 1)


async def known_to_be_gone(mailstore: Mailstore, count: int) -> None:
    async with asyncio.timeout(5):
        while await rows_of(mailstore, "account WHERE gone_at IS NOT NULL") != count:
            await asyncio.sleep(0.005)


async def furnish(desk: Desk, account: str) -> None:
    """One of everything."""
    for name in ("INBOX", "Junk"):
        for _ in range(3):
            await desk.deliver(account, name)
    await desk.expunge(account, numbers=[1], only_deleted=False)
    await desk.ask(store.MAILBOX_CREATE, store.MailboxCreate(account=account, name="Work/2023"))
    await desk.ask(store.MAILBOX_DELETE, store.MailboxName(account=account, name="Work/2023"))
    await desk.ask(settle.SIEVE_PUT, settle.ScriptPut(account=account, name="one", text="keep;"))
    etag = (await desk.ask(settle.ACTIVE_SCRIPT, settle.ActiveScriptRequest(account=account))).etag
    mail = make_mail(account)
    assert await desk.settle([mail], [vacation(filed(mail, script=etag))]) == ["done"]


async def test_its_mail_is_kept_for_the_grace_and_then_all_of_it_goes(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    await furnish(desk, "bob")
    await furnish(desk, "ann")
    await lose(desk, people, "bob", mailstore)
    await clock.leap(6.9 * DAY)
    await forget(mailstore, clock)
    assert (await desk.box("bob")).messages == 3
    await desk.listen("bob")
    before = await desk.names("bob")
    await clock.leap(0.2 * DAY)
    await forget(mailstore, clock)
    await swept(mailstore)
    await desk.until(lambda: desk.events)
    assert {change.mailbox for change in desk.events[0].changes if change.gone} == {box.id for box in before.values()}
    left = {table: await rows_of(mailstore, table) for table in OF_ACCOUNTS}
    assert left["account"] == 1
    assert left["message"] == 6
    assert left["grave"] == 0
    assert left["script"] == 1
    assert left["tombstone"] == left["retired"] == 1
    assert left["mailbox"] == left["subscription"] + 1 == len(await desk.names("ann")), "and Work, made by the way"
    assert await rows_of(mailstore, "body") == 6


async def test_news_that_was_missed_is_made_good_at_a_start(
    desk: Desk, people: People, mailstore: Mailstore, settings: Settings, clock: ManualClock
) -> None:
    await desk.deliver("bob")
    await desk.deliver("ann")
    await mailstore.drain()
    people.gone.add("bob")
    again = new_mailstore(settings, clock)
    await again.start()
    try:
        await known_to_be_gone(again, 1)
        await clock.leap(8 * DAY)
        await forget(again, clock)
        assert await rows_of(again, "account") == 1
        assert (await desk.box("ann")).messages == 1
    finally:
        await again.drain()


async def test_news_that_was_missed_is_made_good_when_the_directory_starts(
    desk: Desk, people: People, mailstore: Mailstore
) -> None:
    await desk.deliver("bob")
    people.gone.add("bob")
    await announce(desk.bus, DIRECTORY_CHANGED, DirectoryChanged(everything=True))
    await known_to_be_gone(mailstore, 1)


async def test_an_account_that_comes_back_has_its_mail_and_its_quota(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    people.quotas["bob"] = 5000
    await desk.deliver("bob")
    await lose(desk, people, "bob", mailstore)
    people.gone.clear()
    back = Account(id="bob", address="bob@here.test", quota=5000)
    await announce(desk.bus, DIRECTORY_CHANGED, DirectoryChanged(account="bob", record=back))
    await known_to_be_gone(mailstore, 0)
    await clock.leap(8 * DAY)
    await forget(mailstore, clock)
    assert (await desk.box("bob")).messages == 1
    assert (await desk.ask(store.QUOTA, store.AccountRef(account="bob"))).limit == 5000


async def test_the_directory_is_asked_once_more_before_the_mail_goes(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    await desk.deliver("bob")
    await lose(desk, people, "bob", mailstore)
    await clock.leap(8 * DAY)
    people.gone.clear()  # and nobody heard of it
    await forget(mailstore, clock)
    assert (await desk.box("bob")).messages == 1
    assert await rows_of(mailstore, "account WHERE gone_at IS NOT NULL") == 0


async def test_a_directory_that_can_not_be_asked_is_no_reason_to_delete(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    await desk.deliver("bob")
    await lose(desk, people, "bob", mailstore)
    people.away = True
    await clock.leap(8 * DAY)
    await forget(mailstore, clock)
    assert (await desk.box("bob")).messages == 1
    people.away = False
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "account") == 0


async def test_who_gets_the_address_later_starts_with_nothing(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    await furnish(desk, "bob")
    await lose(desk, people, "bob", mailstore)
    for days in (0, 8):
        await clock.leap(days * DAY)
        await forget(mailstore, clock)
        other = f"bob-again-{days}"
        boxes = await desk.names(other)
        assert sum(box.messages for box in boxes.values()) == 0
        assert (await desk.ask(settle.SIEVE_LIST, settle.ActiveScriptRequest(account=other))).scripts == []


async def test_its_packs_die_by_themselves(
    desk: Desk,
    bus: Bus,
    root: Path,
    relay: Relay,
    reconciler: Reconciler,
    people: People,
    mailstore: Mailstore,
    clock: ManualClock,
) -> None:
    mails, _ = await accept(bus, root, [owed("bob") for _ in range(3)])
    await desk.settle(mails, [filed(mail) for mail in mails])
    await lose(desk, people, "bob", mailstore)
    await reconciler.round()
    await clock.leap(8 * DAY)
    await forget(mailstore, clock)
    await swept(mailstore)
    await reconciler.round()
    assert states(root) == []


async def test_many_messages_go_a_few_at_a_time_and_a_crash_in_between_loses_nothing(
    desk: Desk, people: People, mailstore: Mailstore, settings: Settings, clock: ManualClock
) -> None:
    many = 2 * bodies.SWEEP + 10
    mails = [make_mail("bob") for _ in range(many)]
    for start in range(0, many, 200):
        part = mails[start : start + 200]
        await desk.settle(part, [filed(mail) for mail in part])
    await desk.expunge("bob", numbers=list(range(1, 6)), only_deleted=False)
    await desk.deliver("ann")
    await lose(desk, people, "bob", mailstore)
    await clock.leap(8 * DAY)
    assert mailstore._sweeper is not None
    await mailstore._sweeper.close()
    await forget(mailstore, clock)
    assert mailstore.doors is not None
    assert await rows_of(mailstore, "message") > many - 2 * bodies.SWEEP, "not all in one transaction"
    assert await mailstore.doors.store.bodies.sweep()
    await mailstore.drain()
    again = new_mailstore(settings, clock)
    await again.start()
    try:
        await swept(again)
        assert [await rows_of(again, table) for table in ("message", "grave", "tombstone", "body")] == [1, 0, 0, 1]
        assert again.doors is not None
        assert (await again.doors.store.accounts.remove("bob")).result is False, "done is done"
    finally:
        await again.drain()


async def test_a_large_mailbox_is_deleted_at_once_and_emptied_later(desk: Desk, mailstore: Mailstore) -> None:
    many = bodies.SWEEP + 10
    mails = [make_mail("bob") for _ in range(many)]
    for start in range(0, many, 200):
        part = mails[start : start + 200]
        await desk.settle(part, [filed(mail, 0, "Junk") for mail in part])
    await desk.copy("bob", "Junk", [1], "Archive")
    await desk.ask(store.MAILBOX_DELETE, store.MailboxName(account="bob", name="Junk"))
    assert "Junk" not in await desk.names("bob")
    assert (await desk.ask(store.QUOTA, store.AccountRef(account="bob"))).messages == 1
    await desk.ask(store.MAILBOX_CREATE, store.MailboxCreate(account="bob", name="Junk"))
    assert await desk.rows("bob", "Junk") == {}
    await swept(mailstore)
    assert [await rows_of(mailstore, table) for table in ("message", "body", "grave")] == [1, 1, 0]
    assert len(await desk.rows("bob", "Archive")) == 1
