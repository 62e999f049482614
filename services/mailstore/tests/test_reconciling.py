"""The reconciler: what the bus lost is made good from real packs; packs that owe nothing are closed, dead ones go."""

from pathlib import Path

import pytest

from barid_contracts import settle, store
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, Key
from barid_mailstore.handlers.reconciler import Reconciler
from barid_mailstore.handlers.service import Mailstore
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.journal.packs import PackJournal
from barid_testing.fixtures import delete_streams

from .desk import Desk, filed
from .journals import BODY, Relay, accept, owed, published, states


async def test_a_wiped_bus_is_made_good(desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler) -> None:
    mails, _ = await accept(bus, root, [owed("bob", "carl", remote=("x@far.test",)) for _ in range(30)])
    settled, lost = mails[:10], mails[10:]
    await desk.settle(settled, [filed(mail, n) for mail in settled for n in (0, 1)])
    await desk.settle(lost[:1], [filed(lost[0], 0)])
    relay.known = {(mail.mail_id, 2) for mail in mails[:25]}
    await delete_streams(bus)
    await reconciler.round()
    local = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    assert [mail.mail_id for mail in local] == [mail.mail_id for mail in lost]
    assert local == lost, "whole, with their references"
    remote = await published(bus, "relay", ACCEPTED_REMOTE.subject)
    assert [mail.mail_id for mail in remote] == [mail.mail_id for mail in mails[25:]]
    statuses = await desk.settle(local, [filed(mail, n) for mail in local for n in (0, 1)])
    assert statuses.count("repeated") == 1
    for name in ("bob", "carl"):
        assert len(await desk.rows(name)) == 30


async def test_packs_are_closed_when_all_is_settled_and_deleted_when_nothing_refers_to_them(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler, mailstore: Mailstore
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob", remote=("x@far.test",))])
    await reconciler.round()
    assert states(root) == ["sealed"]
    await desk.settle([mail], [filed(mail)])
    await reconciler.round()
    assert states(root) == ["sealed"], "the relay does not know it yet"
    relay.known = {(mail.mail_id, 1)}
    await reconciler.round()
    assert states(root) == ["closed"]
    assert mail.ref is not None
    relay.packs = {mail.ref.pack}
    await desk.expunge("bob", only_deleted=False)
    assert mailstore.doors is not None
    while await mailstore.doors.store.bodies.sweep():
        pass
    await reconciler.round()
    assert states(root) == ["closed"], "the relay still needs it"
    relay.packs = set()
    await reconciler.round()
    assert states(root) == []


async def test_without_the_relay_local_mail_is_made_good_and_nothing_is_closed_or_deleted(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    relay.away = True
    (mixed,), _ = await accept(bus, root, [owed("bob", remote=("x@far.test",))])
    (local,), _ = await accept(bus, root, [owed("bob")])
    await delete_streams(bus)
    with pytest.raises(BusError):
        await reconciler.round()
    again = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    assert {mail.mail_id for mail in again} == {mixed.mail_id, local.mail_id}
    await desk.settle(again, [filed(mail) for mail in again])
    with pytest.raises(BusError):
        await reconciler.round()
    assert "sealed" in states(root)


async def test_an_open_pack_is_looked_at_when_the_bus_may_have_lost_something(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), journal = await accept(bus, root, [owed("bob")], seal=False)
    await delete_streams(bus)
    await reconciler.round()
    assert [m.mail_id for m in await published(bus, "mda", ACCEPTED_LOCAL.subject)] == [mail.mail_id]
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == [], "not at every round"
    await desk.settle([mail], [filed(mail)])
    reconciler.suspect()
    await reconciler.round()
    assert states(root) == ["open"], "it may still grow"
    await journal.close()


async def test_mail_in_line_is_left_alone_while_delivery_is_at_work(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    await reconciler.round()
    mails, _ = await accept(bus, root, [owed("bob") for _ in range(3)])
    await published(bus, "mda", ACCEPTED_LOCAL.subject)
    await desk.settle(mails[:1], [filed(mails[0])])
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == []
    await reconciler.round()  # nothing was settled since the last round
    again = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    assert [mail.mail_id for mail in again] == [mail.mail_id for mail in mails[1:]]
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == [], "a delivery that is away is not drowned"
    reconciler.suspect()
    await reconciler.round()
    assert len(await published(bus, "mda", ACCEPTED_LOCAL.subject)) == 2


async def test_a_held_mail_owes_nothing_but_keeps_its_pack(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    held = settle.Settlement(mail_id=mail.mail_id, n=0, account="bob", outcome="held", reason="crashed")
    await desk.settle([mail], [held])
    await reconciler.round()
    await reconciler.round()
    assert states(root) == ["closed"]
    keys = [Key(mail_id=mail.mail_id, n=0)]
    assert (await desk.ask(settle.MAILSTORE_MISSING, settle.MissingRequest(keys=keys))).keys == []


async def test_packs_of_appends_alone_are_closed_and_live_as_long_as_their_messages(
    desk: Desk, root: Path, relay: Relay, reconciler: Reconciler, mailstore: Mailstore
) -> None:
    journal = PackJournal(root, "mss")
    mail = owed()
    mail = mail.model_copy(update={"ref": await journal.append(mail, BODY)})
    await journal.close()
    await desk.box("bob")
    await desk.ask(store.APPEND, store.AppendRequest(account="bob", mailbox="Sent", mail=mail, date=1))
    await reconciler.round()
    await reconciler.round()
    assert states(root) == ["closed"]
    await desk.copy("bob", "Sent", [1], "Trash", move=True)
    await desk.expunge("bob", "Trash", only_deleted=False)
    assert mailstore.doors is not None
    while await mailstore.doors.store.bodies.sweep():
        pass
    await reconciler.round()
    assert states(root) == []
