"""What is forgotten, when, and that nothing comes back because of it."""

import asyncio
from pathlib import Path

import pytest

from barid_contracts import settle, store
from barid_contracts.mail import ACCEPTED_LOCAL, Accepted, Key
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_mailstore.adapters.tables import retention
from barid_mailstore.handlers.reconciler import Reconciler
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import MAX_AGE, Bus
from barid_runtime.settings import SettingsError, load
from barid_testing.fixtures import ManualClock, delete_streams

from .desk import Desk, People, filed, forget, make_mail, rows_of, uids
from .journals import BODY, Relay, accept, owed, published, states
from .test_children import vacation

DAY = 86_400.0


async def traced(desk: Desk, mail: Accepted) -> list[str]:
    return [step.what for step in (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps]


async def missing(desk: Desk, mail: Accepted, n: int = 0) -> bool:
    keys = [Key(mail_id=mail.mail_id, n=n)]
    return bool((await desk.ask(settle.MAILSTORE_MISSING, settle.MissingRequest(keys=keys))).keys)


# --- outcomes


async def test_an_outcome_goes_after_its_time_and_the_mail_does_not_come_back(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler, mailstore: Mailstore, clock: ManualClock
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    await published(bus, "mda", ACCEPTED_LOCAL.subject)
    await desk.settle([mail], [filed(mail)])
    await reconciler.round()
    assert states(root) == ["closed"]
    await clock.leap(29 * DAY)
    await forget(mailstore, clock)
    assert await traced(desk, mail) == ["accepted", "filed"]
    await clock.leap(2 * DAY)
    await forget(mailstore, clock)
    assert await traced(desk, mail) == []
    reconciler.suspect()
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == []
    assert (await desk.box("bob")).messages == 1, "the message itself has nothing to do with it"


async def test_an_outcome_stays_as_long_as_a_pack_that_may_be_looked_at_names_its_mail(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler, mailstore: Mailstore, clock: ManualClock
) -> None:
    mails, journal = await accept(bus, root, [owed("bob"), owed("bob")], seal=False)
    (sealed,), _ = await accept(bus, root, [owed("bob", remote=("x@far.test",))])
    mails.append(sealed)
    await desk.settle(mails, [filed(mail) for mail in mails])
    await clock.leap(31 * DAY)
    await forget(mailstore, clock)
    assert not any([await missing(desk, mail) for mail in mails]), "one is open, the other owes the relay"
    await journal.close()
    relay.known = {(sealed.mail_id, 1)}
    await delete_streams(bus)
    await reconciler.round()
    assert states(root) == ["closed", "closed"]
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == []
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "ledger") == 0


async def test_a_lost_marker_of_a_closed_pack_brings_nothing_back(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler, mailstore: Mailstore, clock: ManualClock
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    await desk.settle([mail], [filed(mail)])
    await reconciler.round()
    await clock.leap(31 * DAY)
    await forget(mailstore, clock)
    assert await missing(desk, mail)
    await delete_streams(bus)
    for marker in root.rglob("*.closed"):
        marker.unlink()
    reconciler.suspect()
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == []
    assert states(root) == ["closed"], "the marker is there again"


async def test_more_outcomes_than_one_slice(desk: Desk, mailstore: Mailstore, clock: ManualClock) -> None:
    mails = [make_mail("bob") for _ in range(2 * retention.SLICE + 3)]
    for start in range(0, len(mails), 400):
        part = mails[start : start + 400]
        await desk.settle(part, [filed(mail) for mail in part])
    await clock.leap(20 * DAY)
    young = await desk.deliver("bob")
    await clock.leap(11 * DAY)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "ledger") == 1
    assert not await missing(desk, young), "settled later, though its name is as old"


async def test_outcomes_of_held_mails_and_of_children_that_wait_stay(
    desk: Desk, people: People, mailstore: Mailstore, clock: ManualClock
) -> None:
    people.away = True  # so a child has to wait
    held, waits = make_mail("bob"), make_mail("bob")
    end = settle.Settlement(mail_id=held.mail_id, n=0, account="bob", outcome="held", reason="it crashed")
    await desk.settle([held], [end])
    # A child that was filed, by a process that died before it could take the child out of the outbox.
    child = settle.Child(
        mail_id=waits.mail_id, kind="vacation", reverse_path="", recipients=["x@far.test"], body="own", content=BODY
    )
    parent = make_mail("carl")
    await desk.settle([waits], [filed(waits)])
    await desk.settle([parent], [filed(parent, children=[child])])
    assert await rows_of(mailstore, "outbox") == 1
    await clock.leap(31 * DAY)
    await forget(mailstore, clock)
    assert not await missing(desk, held)
    assert not await missing(desk, waits)
    assert await missing(desk, parent)


async def test_without_the_packs_no_outcome_goes(
    desk: Desk, root: Path, mailstore: Mailstore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = await desk.deliver("bob")
    await clock.leap(31 * DAY)
    assert mailstore.doors is not None

    async def away(before: float) -> set[str]:
        raise OSError("the disk does not answer")

    monkeypatch.setattr(mailstore.doors.packs, "named", away)
    await forget(mailstore, clock)
    assert not await missing(desk, mail)
    monkeypatch.undo()
    await forget(mailstore, clock)
    assert await missing(desk, mail)


def test_outcomes_outlive_every_event_on_the_bus(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="ledger_days"):
        load(Settings, data=settings.data, ledger_days=7.9)
    shortest = load(Settings, data=settings.data, ledger_days=8)
    assert (shortest.ledger_days - 1) * DAY >= MAX_AGE


# --- what was expunged


async def since(desk: Desk, modseq: int) -> store.ViewReply:
    return await desk.view("bob", since_modseq=modseq)


async def test_expunged_messages_are_remembered_for_a_time_and_then_it_is_said_that_they_are_not(
    desk: Desk, mailstore: Mailstore, clock: ManualClock
) -> None:
    for _ in range(3):
        await desk.deliver("bob")
    known = (await desk.box("bob")).modseq
    await desk.expunge("bob", numbers=[1], only_deleted=False)
    await clock.leap(20 * DAY)
    await forget(mailstore, clock)
    between = (await desk.box("bob")).modseq
    view = await since(desk, known)
    assert (uids(view.expunged), view.forgotten) == ([1], 0)
    await desk.expunge("bob", numbers=[2], only_deleted=False)
    await clock.leap(11 * DAY)
    await forget(mailstore, clock)
    view = await since(desk, known)
    assert view.forgotten > known, "whoever stands there has to read it all"
    view = await since(desk, between)
    assert view.forgotten <= between
    assert uids(view.expunged) == [2]
    await clock.leap(31 * DAY)
    await forget(mailstore, clock)
    assert (await since(desk, between)).forgotten > between
    now = (await desk.box("bob")).modseq
    assert (await since(desk, now)).forgotten <= now
    assert await rows_of(mailstore, "tombstone") == 0


async def test_no_mailbox_remembers_without_bound(
    desk: Desk, mailstore: Mailstore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_TOMBSTONES", 5)
    monkeypatch.setattr(retention, "SLICE", 4)
    steps = []
    for n in range(1, 21):
        await desk.deliver("bob")
        await desk.deliver("bob", "Junk")
        await desk.expunge("bob", numbers=[n], only_deleted=False)
        steps.append((await desk.box("bob")).modseq)
    await desk.expunge("bob", "Junk", numbers=[7], only_deleted=False)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "tombstone") == 6
    view = await since(desk, steps[14])
    assert (view.forgotten <= steps[14], uids(view.expunged)) == (True, [16, 17, 18, 19, 20])
    assert (await since(desk, steps[13])).forgotten > steps[13]
    assert (await desk.view("bob", "Junk", since_modseq=1)).forgotten == 0


# --- memory of answers, children


async def test_vacation_memory_goes_when_it_ran_out(desk: Desk, mailstore: Mailstore, clock: ManualClock) -> None:
    mail = make_mail("bob")
    await desk.settle([mail], [vacation(filed(mail))])
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "vacation") == 1
    await clock.leap(DAY)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "vacation") == 0


async def test_children_that_were_given_up_are_shown_for_a_time(
    desk: Desk, mailstore: Mailstore, clock: ManualClock
) -> None:
    mail = make_mail("bob", size=len(BODY))  # its pack does not exist, so there is nothing to redirect
    child = settle.Child(
        mail_id=make_mail().mail_id, kind="redirect", reverse_path="", recipients=["x@far.test"], body="same"
    )
    await desk.settle([mail], [filed(mail, children=[child])])

    async def given_up() -> bool:
        steps = (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps
        return any("given up" in step.detail for step in steps)

    async with asyncio.timeout(5):
        while not await given_up():
            await asyncio.sleep(0.01)
    await clock.leap(29 * DAY)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "outbox") == 1
    await clock.leap(2 * DAY)
    await forget(mailstore, clock)
    assert await rows_of(mailstore, "outbox") == 0


async def test_it_is_all_done_by_itself(desk: Desk, mailstore: Mailstore, clock: ManualClock) -> None:
    await desk.deliver("bob")
    assert mailstore.retention is not None
    mailstore.retention.start()
    await clock.advance(0)
    await clock.leap(31 * DAY)
    async with asyncio.timeout(5):
        while await rows_of(mailstore, "ledger"):
            await clock.advance(0.05)
