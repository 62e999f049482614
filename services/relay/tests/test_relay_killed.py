"""A relay that is killed in the middle of DATA, and two that want the same row."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.mail import Key
from barid_relay.adapters.doors import MIGRATIONS
from barid_relay.adapters.tables.queue import TableQueue
from barid_relay.handlers.service import Relay
from barid_relay.policy.schedule import Schedule
from barid_relay.ports.hosts import Answer, Fate
from barid_relay.ports.queue import NewMail, NewRecipient, Notices, Parcel
from barid_relay.settings import Settings
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place, open_at

from .foreign import Conversation, Foreign
from .office import NO_REF, Office

SCHEDULE = Schedule(900, 14400, 432000)


@asynccontextmanager
async def process(settings: Settings, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "BARID_DATA": str(settings.data),
        "BARID_BUS_URL": settings.bus_url,
        "BARID_DATABASE_URL": settings.database_url.get_secret_value(),
        "BARID_DATABASE_SCHEMA": settings.database_schema,
        "BARID_LEASE_SECONDS": str(settings.lease_seconds),
        **more,
    }
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "barid_relay", env=environment)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def test_killed_within_data(office: Office, settings: Settings) -> None:
    """Nothing is lost; what had got its 250, and was written down, is not sent again."""
    stuck = asyncio.Event()

    async def stop(conversation: Conversation) -> str | None:
        if conversation.recipients == ["slow@far.test"] and not stuck.is_set():
            await conversation.say("354 go on")
            stuck.set()
            await asyncio.sleep(60)
        return "354 go on"

    async with Foreign(replies={"DATA": stop}).open() as far:
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        quick = [await office.mail(f"u{k}@far.test") for k in range(20)]
        async with process(settings, **routes) as child:
            async with asyncio.timeout(20):
                while len(far.taken) < 20:
                    await asyncio.sleep(0.02)
            for mail_id in quick:
                await office.outcome(mail_id, "relayed")
            slow = await office.mail("slow@far.test", "slow@other.test")
            await asyncio.wait_for(stuck.wait(), 10)
            child.send_signal(signal.SIGKILL)
            await child.wait()
        after = await office.mail("after@far.test")
        # In a file its lease has two minutes left; but the file has a new owner, who knows that the old one is dead.
        async with process(settings, **routes) as child:
            async with asyncio.timeout(20):
                while len(far.taken) < 22:
                    await asyncio.sleep(0.02)
            await office.outcome(slow, "relayed", "captured")
            await office.outcome(after, "relayed")
            child.send_signal(signal.SIGTERM)
            assert await child.wait() == 0
        sent = sorted(taken.recipients[0] for taken in far.taken)
        assert sent == sorted(["after@far.test", "slow@far.test", *[f"u{k}@far.test" for k in range(20)]])


async def test_killed_again_and_again(office: Office, settings: Settings) -> None:
    """Each mail leaves at least once; more than once only those that were on the wire when it died."""
    rounds, connections = 4, 3
    async with Foreign().open() as far:
        settled = {
            "BARID_ROUTES": json.dumps({"far.test": far.route}),
            "BARID_CONNECTIONS_PER_DESTINATION": str(connections),
        }
        mails = {await office.mail(f"u{k}@far.test"): f"u{k}@far.test" for k in range(150)}
        for round_ in range(rounds):
            async with process(settings, **settled) as child:
                before = len(far.taken)
                async with asyncio.timeout(20):
                    while len(far.taken) < before + 10 + 7 * round_:
                        await asyncio.sleep(0.001)
                child.send_signal(signal.SIGKILL)
                await child.wait()
        async with process(settings, **settled) as child:
            for mail_id in mails:
                await office.outcome(mail_id, "relayed", seconds=20)
            # The reconciler finds nothing owed.
            assert await office.missing(*[(mail_id, 0) for mail_id in mails]) == []
            child.send_signal(signal.SIGTERM)
            assert await child.wait() == 0
        sent = [taken.recipients[0] for taken in far.taken]
        assert set(sent) == set(mails.values())
        assert len(sent) - len(set(sent)) <= rounds * connections


@pytest_asyncio.fixture
async def rows(place: Place) -> AsyncIterator[TableQueue]:
    database = await open_at(place, MIGRATIONS)
    yield TableQueue(database, SystemClock(), "one")
    await database.close()


def new_mail(mail_id: str = "01ARZ3NDEKTSV4RRFFQ69G5FAV", recipients: int = 1) -> NewMail:
    return NewMail(
        mail_id=mail_id,
        at=1,
        ref=NO_REF,
        reverse_path="ann@here.test",
        trace="",
        smtputf8=False,
        subject="",
        message_id="",
        parent=None,
        recipients=[NewRecipient(n, f"u{n}@x.test", f"u{n}@x.test", "x.test", "x.test") for n in range(recipients)],
    )


def results(parcel: Parcel, answer: Answer) -> list[Any]:
    return [SCHEDULE.judge(parcel, each, answer, 2) for each in parcel.recipients]


RELAYED = Answer(Fate.RELAYED, "2.0.0", "mx", reply="250 ok")
FAR = 1 << 50


async def test_a_lease_that_ran_out_is_taken_again_and_the_late_result_is_not_written(rows: TableQueue) -> None:
    assert await rows.enqueue([new_mail(recipients=2)]) == 2
    assert await rows.enqueue([new_mail(recipients=2)]) == 0
    (first,) = await rows.lease("x.test", FAR, 100, 0.2)
    assert [each.epoch for each in first.recipients] == [1, 1]
    assert await rows.lease("x.test", FAR, 100, 60) == []
    assert await rows.lease_keys([Key(mail_id=first.mail_id, n=0)], 60) == []
    assert (await rows.due(FAR))[0] == set()
    await asyncio.sleep(0.25)
    assert (await rows.due(FAR))[0] == {"x.test"}
    (second,) = await rows.lease("x.test", FAR, 100, 60)
    assert [each.epoch for each in second.recipients] == [2, 2]
    late = await rows.settle(first, results(first, RELAYED), 2, lambda results: Notices())
    assert list(late.results) == []
    # Nor may the late one keep it, or give it back.
    await rows.give_back([first])
    assert await rows.lease("x.test", FAR, 100, 60) == []
    done = await rows.settle(second, results(second, RELAYED), 2, lambda results: Notices())
    assert len(done.results) == 2
    again = await rows.settle(second, results(second, RELAYED), 2, lambda results: Notices())
    assert list(again.results) == []
    assert await rows.enqueue([new_mail(recipients=3)]) == 1


async def test_a_renewed_lease_lasts(rows: TableQueue) -> None:
    await rows.enqueue([new_mail()])
    leased = await rows.lease("x.test", FAR, 100, 0.1)
    await rows.renew(leased, 60)
    await asyncio.sleep(0.15)
    assert await rows.lease("x.test", FAR, 100, 60) == []
    await rows.give_back(leased)
    assert len(await rows.lease("x.test", FAR, 100, 60)) == 1


async def test_a_row_that_was_in_hand_at_many_deaths_is_held(rows: TableQueue, place: Place) -> None:
    await rows.enqueue([new_mail()])
    for death in range(10):
        if place.url:
            # Others may live, so a lease of somebody dead runs out.
            assert len(await rows.lease("x.test", FAR, 100, 0.001)) == 1, death
            assert await rows.recover(lambda domain: domain) == 0
            await asyncio.sleep(0.01)
        else:
            assert len(await rows.lease("x.test", FAR, 100, 60)) == 1, death
            assert await rows.recover(lambda domain: domain) == 1
    assert await rows.lease("x.test", FAR, 100, 60) == []
    (item,) = (await rows.page(None, 10, None, 1)).items
    assert item.state == "held"
    assert item.last_error == "the relay ended 10 times while it had this in hand"
    assert await rows.act("release", None, 1) == 1
    assert len(await rows.lease("x.test", FAR, 100, 60)) == 1


async def test_many_rows_are_leased_in_order_and_only_once(rows: TableQueue) -> None:
    ids = [f"01ARZ3NDEKTSV4RRFFQ69G5F{k // 10}{k % 10}" for k in range(40)]
    await rows.enqueue([new_mail(mail_id, recipients=5) for mail_id in ids])
    taken = await asyncio.gather(*[rows.lease("x.test", FAR, 30, 60) for _ in range(8)])
    keys = [(parcel.mail_id, each.n) for batch in taken for parcel in batch for each in parcel.recipients]
    assert keys == [(mail_id, n) for mail_id in ids for n in range(5)]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_the_relay_waits_for_its_file(settings: Settings, office: Office, start: Any) -> None:
    """Two owners of one file would send everything twice."""
    from barid_runtime.database.sqlite_connection import NotTheOwner

    from .office import new_relay

    await start()
    second: Relay = new_relay(settings)
    try:
        await second.start()
    except NotTheOwner:
        pass
    else:
        raise AssertionError("two owners")
