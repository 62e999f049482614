"""What is kept of mail that is done with, and for how long: the ledger, captured mail."""

from pathlib import Path
from typing import Any

import pytest

from barid_contracts.mail import ACCEPTED_REMOTE
from barid_relay.handlers.service import Relay
from barid_runtime.journal.lifecycle import close_pack, delete_pack
from barid_testing.fixtures import ManualClock

from .foreign import Foreign
from .office import BODY, TRACE, Office

DAY = 86400.0
SIZE = len(TRACE) + len(BODY)


async def prune(relay: Relay) -> None:
    """What the relay does by itself from time to time, the pauses left out."""
    retention = relay._retention
    assert retention is not None
    retention._next_walk = 0.0
    await retention.round()


async def rows(relay: Relay, table: str) -> int:
    assert relay.doors is not None
    database = relay.doors.queue._database  # type: ignore[attr-defined]
    found = await database.read(lambda cursor: cursor.one(f"SELECT count(*) FROM {table}"))
    return int(found[0])


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_relay.handlers.retention.PAUSE", 0.0)


async def pack_closes(office: Office, root: Path) -> None:
    close_pack(root, f"{office.journal.folder}/000001.pack")


async def pack_goes(office: Office, root: Path) -> None:
    pack = f"{office.journal.folder}/000001.pack"
    close_pack(root, pack)
    delete_pack(root, pack)
    assert not (root / pack).exists()


@pytest.mark.parametrize("gone", [False, True], ids=["closed", "gone"])
async def test_the_ledger_forgets_what_is_old_and_has_no_open_pack(
    timeless: Office, start: Any, manual_clock: ManualClock, settings: Any, gone: bool
) -> None:
    office, root = timeless, settings.data / "journal"
    async with Foreign(replies={"RCPT TO:<no@far.test>": "550 no", "RCPT TO:<x@far.test>": "450 later"}).open() as far:
        relay = await start(clock=manual_clock, routes={"far.test": far.route})
        done = await office.mail("bob@far.test", "no@far.test", reverse_path="")
        await office.outcome(done, "relayed", "bounced")
        late = await office.mail("x@far.test", "bob@far.test")
        await office.deferred(late)
        await office.act("hold", (late, 0))
        manual_clock._now += 40 * DAY
        recent = await office.mail("carl@far.test")
        await office.outcome(recent, "relayed")

        # The pack isn't closed: somebody may still ask what became of its mail.
        await prune(relay)
        assert await office.missing((done, 0), (done, 1), (recent, 0)) == []
        assert await rows(relay, "mail") == 3

        await (pack_goes if gone else pack_closes)(office, root)
        await prune(relay)
        assert await office.steps(done) == []
        # What waits still, and what is younger, stays.
        assert await office.what(recent) == ["accepted", "relayed"]
        assert [item.mail_id for item in await office.queued()] == [late]
        assert (await rows(relay, "mail"), await rows(relay, "ledger")) == (2, 2)

        # A copy of its event that lay on the bus all the time changes nothing.
        ghost = {"mail_id": done, "at": int((manual_clock.now() - 40 * DAY) * 1000), "size": SIZE}
        await say_again(office, ghost)
        other = await office.mail("dora@far.test")
        await office.outcome(other, "relayed")
        assert await office.steps(done) == []
        assert [item.mail_id for item in await office.queued()] == [late]
        assert [taken.recipients for taken in far.taken] == [["bob@far.test"]] * 2 + [
            ["carl@far.test"],
            ["dora@far.test"],
        ]


async def say_again(office: Office, mail: dict[str, Any]) -> None:
    from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation

    ref = BodyRef(pack=f"{office.journal.folder}/000001.pack", offset=0, head=10, size=SIZE)
    obligation = Obligation(n=0, kind="remote", address="bob@far.test", original="bob@far.test")
    accepted = Accepted(reverse_path="", obligations=[obligation], trace=TRACE, headers="", ref=ref, **mail)
    payload = AcceptedBatch(mails=[accepted]).model_dump_json().encode()
    await office.bus.publish_durable(ACCEPTED_REMOTE.subject, payload, message_id="again")


async def test_a_journal_that_is_away_is_no_reason_to_forget(
    timeless: Office, start: Any, manual_clock: ManualClock, settings: Any
) -> None:
    office, root = timeless, settings.data / "journal"
    async with Foreign().open() as far:
        relay = await start(clock=manual_clock, routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test")
        await office.outcome(mail_id, "relayed")
        manual_clock._now += 40 * DAY
        root.rename(root.with_name("elsewhere"))
        root.mkdir()
        await prune(relay)
        assert await office.what(mail_id) == ["accepted", "relayed"]
        root.rmdir()
        root.with_name("elsewhere").rename(root)


async def test_captured_mail_goes_for_its_age(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    office = timeless
    relay = await start(clock=manual_clock)
    old = await office.mail("bob@far.test", "dora@far.test")
    await office.outcome(old, "captured", "captured")
    manual_clock._now += 20 * DAY
    young = await office.mail("carl@far.test")
    await office.outcome(young, "captured")
    await prune(relay)
    assert len(await office.captured()) == 3
    manual_clock._now += 15 * DAY
    pack = f"{office.journal.folder}/000001.pack"
    await prune(relay)
    assert [item.mail_id for item in await office.captured()] == [young]
    # It is said what became of it, nothing is owed, and its body is no longer needed.
    assert [step.detail for step in await office.steps(old)][1:] == [
        "kept here instead of sent; removed since, to make room or for its age"
    ] * 2
    assert await office.missing((old, 0), (old, 1)) == []
    manual_clock._now += 40 * DAY
    await prune(relay)
    assert await office.references(pack) == []


@pytest.mark.parametrize("bound", [{"captured_most": 3}, {"captured_most_size": 3 * SIZE + 1}])
async def test_captured_mail_goes_when_there_is_too_much(office: Office, start: Any, bound: dict[str, int]) -> None:
    relay = await start(**bound)
    mails = []
    for k in range(5):
        mails.append(await office.mail(f"u{k}@far.test"))
        await office.outcome(mails[-1], "captured")
    await prune(relay)
    kept = await office.captured()
    assert [item.mail_id for item in kept] == mails[2:]
    await prune(relay)
    assert await office.captured() == kept


async def test_captured_mail_may_be_kept_for_ever(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    relay = await start(clock=manual_clock, captured_days=0.0)
    await timeless.outcome(await timeless.mail("bob@far.test"), "captured")
    manual_clock._now += 4000 * DAY
    await prune(relay)
    assert len(await timeless.captured()) == 1


async def test_many_go_in_slices(office: Office, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_relay.handlers.retention.SLICE", 7)
    relay = await start(captured_most=5)
    mail_id = await office.mail(*[f"u{k}@far.test" for k in range(60)])
    await office.outcome(mail_id, *["captured"] * 60)
    await prune(relay)
    assert [item.n for item in await office.captured()] == [55, 56, 57, 58, 59]


async def test_it_prunes_by_itself(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    await start(clock=manual_clock)
    await timeless.outcome(await timeless.mail("bob@far.test"), "captured")
    manual_clock._now += 31 * DAY

    async def gone() -> bool:
        await manual_clock.advance(60)
        return not await timeless.captured()

    for _ in range(100):
        if await gone():
            return
    raise AssertionError("it is there still")
