"""Deferred mail: when it is tried again, when its sender hears of it, when it is given back."""

import asyncio
from typing import Any

from barid_runtime.database.port import DatabaseFull
from barid_testing.fixtures import ManualClock

from .foreign import Foreign
from .office import Office

MINUTE = 60
HOUR = 3600


def attempts(far: Foreign) -> int:
    return sum(1 for command in far.commands if command.startswith("MAIL"))


async def leap(office: Office, clock: ManualClock, seconds: float) -> None:
    """Move time at once, without all the small sleeps on the way; then make the relay look, as it may have looked at
    the clock just before."""
    clock._now += seconds
    await clock.advance(0)
    await office.act("retry", ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 0))


async def test_pauses_double_up_to_the_most(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    async with Foreign(replies={"RCPT": "451 4.2.0 later"}).open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route})
        mail_id = await timeless.mail("bob@far.test")
        await timeless.deferred(mail_id, 1)
        for number, minutes in enumerate([15, 30, 60, 120, 240, 240], 1):
            await leap(timeless, manual_clock, minutes * MINUTE - 10)
            await asyncio.sleep(0.05)
            assert attempts(far) == number
            await leap(timeless, manual_clock, 10)
            item = await timeless.deferred(mail_id, number + 1)
            assert item.attempts == number + 1
        far.replies.clear()
        await leap(timeless, manual_clock, 4 * HOUR)
        await timeless.outcome(mail_id, "relayed")
        steps = await timeless.steps(mail_id)
        assert [step.what for step in steps] == ["accepted", *["attempt"] * 7, "relayed"]
        assert steps[1].detail == "1 (127.0.0.1): 451 4.2.0 later"


async def test_it_wakes_by_itself(office: Office, start: Any) -> None:
    async with Foreign(replies={"RCPT": "451 4.2.0 later"}).open() as far:
        await start(routes={"far.test": far.route}, retry_first=0.2, retry_most=0.2)
        mail_id = await office.mail("bob@far.test")
        await office.until(lambda: attempts(far) >= 3)
        far.replies.clear()
        await office.outcome(mail_id, "relayed")


async def test_given_back_after_five_days(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    async with Foreign(replies={"RCPT": "451 4.2.0 later"}).open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route})
        mail_id = await timeless.mail("bob@far.test")
        await timeless.deferred(mail_id, 1)
        await leap(timeless, manual_clock, 5 * 24 * HOUR - 1)
        item = await timeless.deferred(mail_id, 2)
        # The last attempt is at the end of the time, not a pause after it.
        await leap(timeless, manual_clock, item.due / 1000 - manual_clock.now())
        await timeless.outcome(mail_id, "bounced")
        _, notice = await timeless.notice()
        recipient = notice.get_payload()[1].get_payload()[1]  # type: ignore[union-attr,index]
        assert recipient["Action"] == "failed"
        assert recipient["Status"] == "4.4.7"
        assert recipient["Diagnostic-Code"] == "smtp; 451 4.2.0 later"


async def test_attempts_that_are_kept_are_bounded(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    async with Foreign(replies={"RCPT": "451 4.2.0 later"}).open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route})
        mail_id = await timeless.mail("bob@far.test")
        for number in range(1, 25):
            await timeless.deferred(mail_id, number)
            await timeless.act("retry")
        await timeless.deferred(mail_id, 25)
        steps = [step for step in await timeless.steps(mail_id) if step.what == "attempt"]
        assert len(steps) == 20
        assert steps[-1].detail.startswith("25 ")


async def test_the_sender_hears_of_a_delay_once_if_asked_for(
    timeless: Office, start: Any, manual_clock: ManualClock
) -> None:
    async with Foreign(replies={"RCPT": "451 4.2.0 later"}).open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route}, warn_after=4.0 * HOUR)
        mail_id = await timeless.mail("bob@far.test")
        await timeless.deferred(mail_id, 1)
        await timeless.silence(0.1)
        await leap(timeless, manual_clock, 4 * HOUR)
        await timeless.deferred(mail_id, 2)
        _, notice = await timeless.notice()
        recipient = notice.get_payload()[1].get_payload()[1]  # type: ignore[union-attr,index]
        assert recipient["Action"] == "delayed"
        assert recipient["Status"] == "4.2.0"
        assert recipient["Will-Retry-Until"]
        await leap(timeless, manual_clock, 4 * HOUR)
        await timeless.deferred(mail_id, 3)
        await timeless.silence(0.1)


async def test_a_dead_host_is_dialled_once_for_many(timeless: Office, start: Any, manual_clock: ManualClock) -> None:
    async with Foreign(replies={"GREETING": "421 busy"}).open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route}, connections_per_destination=1)
        mails = [await timeless.mail("bob@far.test") for _ in range(5)]
        await timeless.deferred(mails[0])
        await asyncio.sleep(0.2)
        dialled = far.connections
        assert dialled <= 5
        # It rests: new mail waits in the queue, due.
        late = await timeless.mail("carl@far.test")
        await timeless.until(lambda: True)
        async with asyncio.timeout(5):
            while not any(item.mail_id == late for item in await timeless.queued()):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert far.connections == dialled
        far.replies.clear()
        await leap(timeless, manual_clock, 16 * MINUTE)
        await timeless.outcome(late, "relayed")


async def test_a_mail_on_which_our_code_fails_three_times_is_held(
    timeless: Office, start: Any, manual_clock: ManualClock, monkeypatch: Any
) -> None:
    from barid_relay.adapters.smtp.session import SmtpSession

    poisoned = True
    send = SmtpSession.send

    async def fail(self: SmtpSession, letter: Any) -> Any:
        if poisoned and "bob@far.test" in letter.recipients:
            raise RuntimeError("a bug")
        return await send(self, letter)

    monkeypatch.setattr(SmtpSession, "send", fail)
    async with Foreign().open() as far:
        await start(clock=manual_clock, routes={"far.test": far.route})
        mail_id = await timeless.mail("bob@far.test")
        neighbour = await timeless.mail("carl@far.test")
        await timeless.outcome(neighbour, "relayed")
        for _ in range(2):
            await asyncio.sleep(0.1)
            await leap(timeless, manual_clock, MINUTE)
        await timeless.outcome(mail_id, "held")
        (item,) = await timeless.queued()
        assert (item.state, item.last_error) == ("held", "fault of the relay: RuntimeError")
        poisoned = False
        assert await timeless.act("retry") == 0
        assert await timeless.act("release", (mail_id, 0)) == 1
        await timeless.outcome(mail_id, "relayed")


async def test_an_outcome_that_can_not_be_written_now_is_not_forgotten(
    office: Office, start: Any, monkeypatch: Any
) -> None:
    """A full disk after the host's 250: the mail must not be sent again."""
    from barid_relay.adapters.tables.queue import TableQueue

    settle = TableQueue.settle
    failures = 3

    async def fail(self: TableQueue, *arguments: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise DatabaseFull("no space left")
        return await settle(self, *arguments)

    monkeypatch.setattr(TableQueue, "settle", fail)
    async with Foreign().open() as far:
        relay = await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test")
        await office.until(lambda: failures == 2)
        assert relay.checks()["database"] == "no space left"
        await office.outcome(mail_id, "relayed")
        assert len(far.taken) == 1
        assert relay.checks()["database"] == "ok"


async def test_mail_that_can_not_be_queued_now_stays_on_the_bus(office: Office, start: Any, monkeypatch: Any) -> None:
    from barid_relay.adapters.tables.queue import TableQueue

    enqueue = TableQueue.enqueue
    failures = 2

    async def fail(self: TableQueue, *arguments: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise DatabaseFull("no space left")
        return await enqueue(self, *arguments)

    monkeypatch.setattr(TableQueue, "enqueue", fail)
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("bob@far.test"), "relayed", seconds=10)
        assert (failures, len(far.taken)) == (0, 1)
