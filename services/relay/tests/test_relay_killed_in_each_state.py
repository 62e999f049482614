"""kill -9 in each state of an attempt: nothing is lost, and only what had its 250 unwritten is sent twice."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from barid_contracts import directory
from barid_relay.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import answer

from .foreign import Conversation, Foreign
from .office import Office, resolve
from .test_relay_killed import process


class Victim:
    """The relay's process. `strike` kills it, once."""

    def __init__(self) -> None:
        self.child: asyncio.subprocess.Process | None = None
        self.struck = asyncio.Event()

    def strike(self) -> None:
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.struck.set()

    def freeze(self) -> None:
        """From now on it does nothing more, whatever it gets."""
        assert self.child is not None
        os.kill(self.child.pid, signal.SIGSTOP)


@pytest.fixture
def victim() -> Victim:
    return Victim()


@pytest_asyncio.fixture
async def people(bus: Bus, victim: Victim) -> AsyncIterator[None]:
    """The directory; to be asked for the sender of a notice may be deadly."""

    async def deadly(request: directory.ResolveRequest) -> directory.ResolveReply:
        if "deadly@here.test" in request.addresses and not victim.struck.is_set():
            victim.strike()
        return await resolve(request)

    serving = await answer(bus, directory.RESOLVE, deadly, queue="directory")
    yield
    await serving.drain()


async def run_and_strike(settings: Settings, victim: Victim, **first: str) -> None:
    async with process(settings, **first) as child:
        victim.child = child
        await asyncio.wait_for(victim.struck.wait(), 20)
        await child.wait()


@pytest.mark.parametrize("where", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY"])
async def test_before_the_250_it_is_sent_once(office: Office, settings: Settings, victim: Victim, where: str) -> None:
    async def die(conversation: Conversation) -> str:
        if not victim.struck.is_set():
            victim.strike()
            await asyncio.sleep(0.2)
            conversation.hang_up()
        return {"GREETING": "220 mx", "EHLO": "250 mx", "DATA": "354 go on"}.get(where, "250 2.0.0 ok")

    async with Foreign(replies={where: die}).open() as far:
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        mail_id = await office.mail("bob@far.test", "carl@far.test")
        await run_and_strike(settings, victim, **routes)
        async with process(settings, **routes):
            await office.outcome(mail_id, "relayed", "relayed", seconds=20)
        assert [taken.recipients for taken in far.taken] == [["bob@far.test", "carl@far.test"]]


async def test_after_the_250_and_before_the_commit_it_is_sent_twice(
    office: Office, settings: Settings, victim: Victim
) -> None:
    """The documented repeat, of this mail alone: its neighbour's outcome was written."""

    async def die(conversation: Conversation) -> str | None:
        if "bob@far.test" in conversation.recipients and not victim.struck.is_set():
            victim.freeze()
            await conversation.say("250 2.0.0 taken")
            conversation.take(b"")
            victim.strike()
            return None
        return "250 2.0.0 ok"

    async with Foreign(replies={"BODY": die}).open() as far:
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route}), "BARID_CONNECTIONS_PER_DESTINATION": "1"}
        before = await office.mail("anna@far.test")
        mail_id = await office.mail("bob@far.test")
        after = await office.mail("carl@far.test")
        await run_and_strike(settings, victim, **routes)
        async with process(settings, **routes):
            for each in (before, mail_id, after):
                await office.outcome(each, "relayed", seconds=20)
        sent = [recipient for taken in far.taken for recipient in taken.recipients]
        assert sorted(sent) == ["anna@far.test", "bob@far.test", "bob@far.test", "carl@far.test"]


async def test_leased_and_not_dialled_yet(office: Office, settings: Settings, victim: Victim) -> None:
    """While the DNS is asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        loop = asyncio.get_running_loop()
        loop.add_reader(silent, lambda: victim.struck.is_set() or victim.strike())
        name_server = json.dumps([f"127.0.0.1:{silent.getsockname()[1]}"])
        mail_id = await office.mail("bob@far.test")
        await run_and_strike(settings, victim, BARID_OUTBOUND="direct", BARID_DNS_NAMESERVERS=name_server)
        loop.remove_reader(silent)
    async with Foreign().open() as far:
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        async with process(settings, **routes):
            await office.outcome(mail_id, "relayed", seconds=20)
        assert len(far.taken) == 1


async def test_an_outcome_with_its_notice_that_is_not_journalled_yet(
    office: Office, settings: Settings, victim: Victim
) -> None:
    """The sender hears of it once, from the next process."""
    async with Foreign(replies={"RCPT": "550 5.1.1 no"}).open() as far:
        routes = {"BARID_ROUTES": json.dumps({"far.test": far.route})}
        mail_id = await office.mail("bob@far.test", reverse_path="deadly@here.test")
        await run_and_strike(settings, victim, **routes)
        async with process(settings, **routes):
            await office.outcome(mail_id, "bounced", seconds=20)
            notice, _ = await office.notice(20)
            assert notice.parent == mail_id
            await office.silence()
        assert far.commands.count("RCPT TO:<bob@far.test>") == 1
