"""The reconciler: what the bus lost is made good from real packs; packs that owe nothing are closed, dead ones go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts import settle, store
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, ACCEPTED_STREAM, Accepted, AcceptedBatch, Key
from barid_mailstore.handlers.reconciler import Reconciler
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import answer
from barid_runtime.journal.lifecycle import packs
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher
from barid_testing.fixtures import delete_streams

from .desk import Desk, filed, make_mail

BODY = b"Subject: hello\r\n\r\nhi\r\n"


class Relay:
    """Owns remote obligations: `known` are queued or done, `packs` are those its queue refers to."""

    def __init__(self) -> None:
        self.known: set[tuple[str, int]] = set()
        self.packs: set[str] = set()
        self.away = False

    async def missing(self, request: settle.MissingRequest) -> settle.MissingReply:
        if self.away:
            raise OperationFailed("unavailable")
        return settle.MissingReply(keys=[key for key in request.keys if (key.mail_id, key.n) not in self.known])

    async def references(self, request: settle.ReferencesRequest) -> settle.ReferencesReply:
        if self.away:
            raise OperationFailed("unavailable")
        return settle.ReferencesReply(packs=[pack for pack in request.packs if pack in self.packs])


@pytest_asyncio.fixture
async def relay(bus: Bus) -> AsyncIterator[Relay]:
    relay = Relay()
    serving = [
        await answer(bus, settle.RELAY_MISSING, relay.missing, queue="relay"),
        await answer(bus, settle.RELAY_REFERENCES, relay.references, queue="relay"),
    ]
    yield relay
    for each in serving:
        await each.drain()


@pytest.fixture
def root(settings: Settings) -> Path:
    return settings.data / "journal"


@pytest.fixture
def reconciler(mailstore: Mailstore) -> Reconciler:
    assert mailstore.reconciler is not None
    mailstore.reconciler.suspicious_grace = 0.0
    mailstore.reconciler.collect_every = 1
    return mailstore.reconciler


async def accept(
    bus: Bus, root: Path, mails: list[Accepted], *, seal: bool = True
) -> tuple[list[Accepted], PackJournal]:
    """As an ingress does: journalled, published, the pack sealed."""
    journal = PackJournal(root, "smtp_ingress")
    publisher = Publisher(journal, bus)
    await publisher.start()
    refs = await asyncio.gather(*[journal.append(mail, BODY) for mail in mails])
    await publisher.idle()
    if seal:
        await journal.close()
    await publisher.close()
    return [mail.model_copy(update={"ref": ref}) for mail, ref in zip(mails, refs, strict=True)], journal


async def published(bus: Bus, kind: str, subject: str) -> list[Accepted]:
    consumer = await bus.consumer(ACCEPTED_STREAM, durable=kind, subject=subject)
    mails: list[Accepted] = []
    while deliveries := await consumer.fetch(50, 0.3):
        for delivery in deliveries:
            mails += AcceptedBatch.model_validate_json(delivery.payload).mails
            await delivery.ack()
    return mails


def owed(*recipients: str, **more: object) -> Accepted:
    return make_mail(*recipients, size=len(BODY), **more)  # type: ignore[arg-type]


def states(root: Path) -> list[str]:
    return [pack.state for pack in packs(root)]


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


async def test_a_damaged_record_does_not_keep_its_neighbours_back(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    mails, _ = await accept(bus, root, [owed("bob") for _ in range(5)])
    await delete_streams(bus)
    ref = mails[2].ref
    assert ref is not None
    with open(root / ref.pack, "r+b") as pack:
        pack.seek(ref.offset + 60)
        pack.write(b"\xff" * 20)
    await reconciler.round()
    again = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    assert [mail.mail_id for mail in again] == [mail.mail_id for mail in mails if mail is not mails[2]]
