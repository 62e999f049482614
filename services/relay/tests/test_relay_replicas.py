"""Several relays on one PostgreSQL: stopped, killed, joined; and the PostgreSQL killed under them."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from barid_relay.settings import Settings
from barid_runtime.database.embedded import EmbeddedPostgres

from .foreign import Conversation, Foreign
from .office import Office
from .test_relay_killed import process

pytestmark = pytest.mark.parametrize("place", ["postgres"], indirect=True)


class Host:
    """A host that takes its time with each message, and says when two send it the same recipient at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now: Counter[str] = Counter()
        self.doubled: list[str] = []
        self.foreign = Foreign(replies={"RCPT": self._begin, "BODY": self._end})

    async def _begin(self, conversation: Conversation) -> str:
        return "250 2.1.5 ok"

    async def _end(self, conversation: Conversation) -> str:
        recipients = list(conversation.recipients)
        self._now.update(recipients)
        self.doubled += [each for each in recipients if self._now[each] > 1]
        await asyncio.sleep(self._seconds)
        self._now.subtract(recipients)
        return "250 2.0.0 ok"

    def sent(self) -> Counter[str]:
        return Counter(recipient for taken in self.foreign.taken for recipient in taken.recipients)


async def alive(settings: Settings, count: int) -> None:
    """Until so many relays have started."""
    admin = await asyncpg.connect(
        settings.database_url.get_secret_value(), server_settings={"search_path": settings.database_schema}
    )
    async with asyncio.timeout(30):
        while await admin.fetchval("SELECT count(*) FROM replica") < count:
            await asyncio.sleep(0.05)
    await admin.close()


async def all_settled(office: Office, mails: list[str], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        for mail_id in mails:
            await office.outcome(mail_id, "relayed", seconds=seconds)


async def test_one_that_stood_still_ends_nothing_that_another_has_taken(office: Office, settings: Settings) -> None:
    """It is stopped within DATA, its lease runs out, another sends the mail; then it goes on."""
    stopped = asyncio.Event()
    said: list[str] = []

    async def stop(conversation: Conversation) -> str:
        if not stopped.is_set():
            first.send_signal(signal.SIGSTOP)
            stopped.set()
        return "354 go on"

    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(Foreign(replies={"DATA": stop}).open())
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        first = await stack.enter_async_context(process(settings, **routes))
        mail_id = await office.mail("bob@far.test")
        await asyncio.wait_for(stopped.wait(), 20)
        second = await stack.enter_async_context(process(settings, **routes))
        await office.until(lambda: far.taken, 20)
        await asyncio.sleep(0.5)  # nobody can be asked: half of the questions go to the one that stands still
        first.send_signal(signal.SIGCONT)
        await office.outcome(mail_id, "relayed", seconds=20)
        steps = [(step.what, step.at) for step in await office.steps(mail_id)]
        # It works on: the other one is gone, and it sends what comes.
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
        other = await office.mail("carl@far.test")
        await office.outcome(other, "relayed", seconds=20)
        assert [(step.what, step.at) for step in await office.steps(mail_id)] == steps
        assert await office.queued() == []
        said += [recipient for taken in far.taken if taken.whole for recipient in taken.recipients]
    assert sorted(said) == ["bob@far.test", "carl@far.test"]


async def test_one_that_stood_still_after_the_250_writes_nothing(office: Office, settings: Settings) -> None:
    """The mail has gone out twice, as it is documented; its outcome is that of who has the lease."""
    stopped = asyncio.Event()

    async def stop(conversation: Conversation) -> str:
        if not stopped.is_set():
            first.send_signal(signal.SIGSTOP)
            stopped.set()
            return "250 2.0.0 first"
        return "250 2.0.0 second"

    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(Foreign(replies={"BODY": stop}).open())
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        first = await stack.enter_async_context(process(settings, **routes))
        mail_id = await office.mail("bob@far.test")
        await asyncio.wait_for(stopped.wait(), 20)
        await stack.enter_async_context(process(settings, **routes))
        await office.until(lambda: len(far.taken) == 2, 20)
        await asyncio.sleep(0.5)
        first.send_signal(signal.SIGCONT)
        await asyncio.sleep(1)
        (outcome,) = [step for step in await office.steps(mail_id) if step.what == "relayed"]
        assert outcome.detail == "127.0.0.1: 250 2.0.0 second"
        assert len(far.taken) == 2
        assert await office.queued() == []


async def test_killed_and_replaced_under_load(office: Office, settings: Settings) -> None:
    connections, kills = 4, 3
    host = Host(0.02)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(host.foreign.open())
        how = {
            "BARID_ROUTES": json.dumps({"far.test": far.route}),
            "BARID_CONNECTIONS_PER_DESTINATION": str(connections),
        }
        relays = [await stack.enter_async_context(process(settings, **how)) for _ in range(2)]
        mails = [await office.mail(f"u{k}@far.test") for k in range(100)]
        for round_ in range(kills):
            async with asyncio.timeout(20):
                while sum(host.sent().values()) < 10 + 25 * round_:
                    await asyncio.sleep(0.005)
            victim = relays.pop(0)
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
            relays.append(await stack.enter_async_context(process(settings, **how)))
            mails += [await office.mail(f"r{round_}.{k}@far.test") for k in range(20)]
        await all_settled(office, mails, 40)
        assert await office.missing(*[(mail_id, 0) for mail_id in mails]) == []
        for relay in relays:
            relay.send_signal(signal.SIGTERM)
        assert [await relay.wait() for relay in relays] == [0, 0]
    sent = host.sent()
    assert len(sent) == len(mails) == 160
    assert host.doubled == []
    assert sum(sent.values()) - len(sent) <= kills * connections


async def test_drained_ones_leave_nothing_to_be_waited_for(office: Office, settings: Settings) -> None:
    """A rolling restart: nothing is sent twice, and nobody waits for a lease to run out."""
    host = Host(0.02)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(host.foreign.open())
        how = {"BARID_ROUTES": json.dumps({"far.test": far.route}), "BARID_LEASE_SECONDS": "120"}
        relays = [await stack.enter_async_context(process(settings, **how)) for _ in range(2)]
        mails = [await office.mail(f"u{k}@far.test") for k in range(100)]
        for round_ in range(2):
            async with asyncio.timeout(20):
                while sum(host.sent().values()) < 10 + 30 * round_:
                    await asyncio.sleep(0.005)
            new = await stack.enter_async_context(process(settings, **how))
            old = relays.pop(0)
            old.send_signal(signal.SIGTERM)
            assert await old.wait() == 0
            relays.append(new)
        await all_settled(office, mails, 30)
    assert sorted(host.sent().values()) == [1] * 100


async def test_together_they_keep_to_the_connections_of_a_destination(office: Office, settings: Settings) -> None:
    host = Host(0.05)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(host.foreign.open())
        how = {"BARID_ROUTES": json.dumps({"far.test": far.route}), "BARID_CONNECTIONS_PER_DESTINATION": "3"}
        for _ in range(2):
            await stack.enter_async_context(process(settings, **how))
        await alive(settings, 2)
        await asyncio.sleep(1.5)  # until the first has heard of the second
        mails = [await office.mail(f"u{k}@far.test") for k in range(60)]
        await all_settled(office, mails, 30)
        assert 2 <= far.open_most <= 3


async def test_the_database_is_killed_under_load(
    office: Office, settings: Settings, postgres_server: EmbeddedPostgres
) -> None:
    """Outcomes wait until it is back, so even now nothing is sent twice."""
    host = Host(0.02)
    async with AsyncExitStack() as stack:
        far = await stack.enter_async_context(host.foreign.open())
        how = {"BARID_ROUTES": json.dumps({"far.test": far.route}), "BARID_LEASE_SECONDS": "20"}
        relays = [await stack.enter_async_context(process(settings, **how)) for _ in range(2)]
        await alive(settings, 2)
        mails = [await office.mail(f"u{k}@far.test") for k in range(60)]
        for round_ in range(2):
            async with asyncio.timeout(20):
                while sum(host.sent().values()) < 10 + 20 * round_:
                    await asyncio.sleep(0.005)
            await postgres_server.kill()
            mails += [await office.mail(f"r{round_}.{k}@far.test") for k in range(20)]
            await asyncio.sleep(0.5)
            await postgres_server.start()
        await all_settled(office, mails, 60)
        assert all(relay.returncode is None for relay in relays)
    assert sorted(host.sent().values()) == [1] * 100
    assert host.doubled == []


async def test_readiness_says_that_the_database_is_away(
    office: Office, start: Any, postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("barid_runtime.database.postgres.TRIES", 2)
    relay = await start(lease_seconds=1.0)
    assert relay.checks()["database"] == "ok"
    await postgres_server.kill()
    await office.until(lambda: relay.checks()["database"].startswith("the database failed"), 10)
    await postgres_server.start()
    await office.until(lambda: relay.checks()["database"] == "ok", 10)
    await office.outcome(await office.mail("bob@far.test"), "captured")


async def test_each_notice_is_made_by_one_of_them(office: Office, start: Any) -> None:
    async with Foreign(replies={"RCPT": "550 5.1.1 no"}).open() as far:
        for _ in range(2):
            await start(routes={"far.test": far.route})
        mails = [await office.mail(f"u{k}@far.test") for k in range(20)]
        for mail_id in mails:
            await office.outcome(mail_id, "bounced")
        told = await office.notices(len(mails))
        assert sorted(str(notice.parent) for notice in told) == sorted(mails)
        await office.silence()


async def test_the_wrong_password_is_one_clear_line(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    password = url.split(":")[2].split("@")[0]
    environment = {
        **os.environ,
        "BARID_DATA": str(settings.data),
        "BARID_BUS_URL": settings.bus_url,
        "BARID_DATABASE_URL": url.replace(password, "wrong"),
        "BARID_LOG_FORMAT": "json",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "barid_relay",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    said = (out + err).decode()
    assert child.returncode != 0
    assert "can't be used: password authentication failed" in said
    assert "wrong" not in said
