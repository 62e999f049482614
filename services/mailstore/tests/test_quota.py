"""Quotas: learned from the directory, told when crossed; what was accepted is always filed."""

from barid_contracts import directory, store
from barid_contracts.base import Empty
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import announce

from .desk import NOW, Desk, People, filed, make_mail, new_mailstore


async def quota(desk: Desk, account: str) -> store.QuotaReply:
    reply: store.QuotaReply = await desk.ask(store.QUOTA, store.AccountRef(account=account))
    return reply


async def limited(desk: Desk, people: People, account: str, limit: int) -> None:
    """The account exists, and its limit has been learned."""
    people.quotas[account] = limit
    await desk.box(account)
    while (await quota(desk, account)).limit != limit:
        pass


async def test_a_limit_is_asked_for_once(desk: Desk, people: People) -> None:
    await limited(desk, people, "bob", 5000)
    await desk.deliver("bob")
    await desk.deliver("bob")
    used = await quota(desk, "bob")
    assert (used.messages, used.limit) == (2, 5000)
    assert used.used == (await desk.box("bob")).size
    assert people.asked == ["bob"]


async def test_crossing_is_told_and_mail_is_filed_all_the_same(desk: Desk, people: People) -> None:
    await limited(desk, people, "bob", 700)
    await desk.listen()
    await desk.deliver("bob")
    assert (await desk.ask(store.OVER_QUOTA_LIST, Empty())).over == []
    await desk.deliver("bob")
    await desk.deliver("bob")
    assert (await desk.box("bob")).messages == 3
    reply = await desk.ask(store.OVER_QUOTA_LIST, Empty())
    assert (reply.over, reply.full) == (["bob"], True)
    await desk.expunge("bob", numbers=[1, 2], only_deleted=False)
    await desk.until(lambda: len(desk.quota_events) == 2)
    assert [(event.over, event.under) for event in desk.quota_events] == [(["bob"], []), ([], ["bob"])]


async def test_what_the_user_adds_is_refused(desk: Desk, people: People) -> None:
    await limited(desk, people, "bob", 1000)
    await desk.deliver("bob")
    await desk.deliver("bob")
    assert await desk.refused(desk.copy("bob", "INBOX", [1], "Trash")) == "over_quota"
    await desk.copy("bob", "INBOX", [1], "Trash", move=True)
    append = store.AppendRequest(account="bob", mailbox="Sent", mail=make_mail(), date=NOW)
    assert await desk.refused(desk.ask(store.APPEND, append)) == "over_quota"
    assert (await desk.box("bob", "Sent")).messages == 0
    await desk.expunge("bob", "Trash", [1], only_deleted=False)
    await desk.ask(store.APPEND, append)


async def test_a_new_limit_counts_at_once(desk: Desk, people: People, bus: Bus) -> None:
    await limited(desk, people, "bob", 0)
    await desk.deliver("bob")
    await desk.listen()
    record = directory.Account(id="bob", address="bob@here.test", quota=10)
    await announce(bus, directory.DIRECTORY_CHANGED, directory.DirectoryChanged(account="bob", record=record))
    await desk.until(lambda: desk.quota_events)
    assert desk.quota_events[0].over == ["bob"]
    await announce(bus, directory.DIRECTORY_CHANGED, directory.DirectoryChanged(account="bob"))
    await desk.until(lambda: len(desk.quota_events) == 2)
    assert desk.quota_events[1].under == ["bob"]
    assert (await desk.box("bob")).messages == 1


async def test_limits_are_asked_again_after_a_restart(
    desk: Desk, people: People, mailstore: Mailstore, settings: Settings
) -> None:
    await limited(desk, people, "bob", 10)
    await desk.deliver("bob")
    await mailstore.drain()
    people.quotas["bob"] = 10_000
    again = new_mailstore(settings)
    await again.start()
    try:
        while (await quota(desk, "bob")).limit != 10_000:
            pass
        assert (await desk.ask(store.OVER_QUOTA_LIST, Empty())).over == []
    finally:
        await again.drain()


async def test_without_a_directory_mail_is_filed(bus: Bus, settings: Settings) -> None:
    service = new_mailstore(settings)
    await service.start()
    try:
        desk = Desk(bus)
        mail = make_mail("bob")
        assert await desk.settle([mail], [filed(mail)]) == ["done"]
        assert (await quota(desk, "bob")).limit == 0
    finally:
        await service.drain()
