"""Mail that leaves: to a foreign MTA, over real sockets."""

import asyncio
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from .foreign import Foreign
from .office import BODY, TRACE, Office

pytestmark = pytest.mark.usefixtures("office")


class Inbox:
    """What aiosmtpd gets."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 OK"


async def test_to_an_mta_that_nobody_here_wrote(office: Office, start: Any) -> None:
    inbox = Inbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(inbox, hostname="mx"), "127.0.0.1", 0)
    await start(routes={"far.test": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"})
    mail_id = await office.mail("bob@far.test", "carl@far.test", body=BODY + b".\r\n..two\r\n")
    await office.outcome(mail_id, "relayed", "relayed")
    server.close()
    (envelope,) = inbox.envelopes
    assert envelope.mail_from == "ann@here.test"
    assert envelope.rcpt_tos == ["bob@far.test", "carl@far.test"]
    assert envelope.original_content == TRACE.encode() + BODY + b".\r\n..two\r\n"
    assert await office.queued() == []


async def test_a_large_message_is_streamed(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        body = BODY + b"0123456789abcdef" * 60 + b"\r\n"
        body = body + (b"x" * 70 + b"\r\n") * 60_000
        mail_id = await office.mail("bob@far.test", body=body)
        await office.outcome(mail_id, "relayed", seconds=20)
        assert far.taken[0].body == TRACE.encode() + body
        assert f"SIZE={len(TRACE) + len(body)}" in far.taken[0].mail_command


async def test_mails_share_a_connection(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route}, connections_per_destination=1)
        mails = [await office.mail(f"bob{k}@far.test") for k in range(20)]
        for mail_id in mails:
            await office.outcome(mail_id, "relayed")
        assert len(far.taken) == 20
        assert far.connections == 1
        assert far.commands.count("EHLO relay.here.test") == 1


async def test_each_domain_has_its_host(office: Office, start: Any) -> None:
    async with Foreign().open() as far, Foreign().open() as further:
        await start(routes={"far.test": far.route, "further.test": further.route})
        mail_id = await office.mail("bob@far.test", "dora@FURTHER.test", "carl@far.test")
        await office.outcome(mail_id, "relayed", "relayed", "relayed")
        assert far.taken[0].recipients == ["bob@far.test", "carl@far.test"]
        assert further.taken[0].recipients == ["dora@FURTHER.test"]


async def test_what_comes_twice_leaves_once(office: Office, start: Any, settings: Any) -> None:
    async with Foreign().open() as far:
        relay = await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test")
        await office.outcome(mail_id, "relayed")
        # The reconciler, or a publisher after a crash, says it again.
        await office.mail("bob@far.test", mail_id=mail_id)
        await office.publisher.idle()
        other = await office.mail("carl@far.test")
        await office.outcome(other, "relayed")
        assert [taken.recipients for taken in far.taken] == [["bob@far.test"], ["carl@far.test"]]
        await relay.drain()


async def test_many_at_once_keep_the_limit(office: Office, start: Any) -> None:
    async def slowly(conversation: Any) -> str:
        await asyncio.sleep(0.02)
        return "250 2.0.0 ok"

    async with Foreign(replies={"BODY": slowly}).open() as far:
        await start(routes={"far.test": far.route}, connections_per_destination=3)
        mail_ids = await asyncio.gather(*[office.mail(*[f"u{k}.{n}@far.test" for n in range(50)]) for k in range(20)])
        for mail_id in mail_ids:
            await office.outcome(mail_id, *["relayed"] * 50, seconds=20)
        assert sum(len(taken.recipients) for taken in far.taken) == 1000
        assert 1 < far.open_most <= 3


async def test_draining_finishes_what_was_begun_and_gives_back_the_rest(office: Office, start: Any) -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def wait(conversation: Any) -> str:
        begun.set()
        await go_on.wait()
        return "250 2.0.0 ok"

    async with Foreign(replies={"BODY": wait}).open() as far:
        relay = await start(routes={"far.test": far.route}, connections_per_destination=1)
        first = await office.mail("a@far.test", "b@far.test")
        await begun.wait()
        second = await office.mail("c@far.test")
        await office.publisher.idle()
        draining = asyncio.create_task(relay.drain())
        await asyncio.sleep(0.5)  # by now it has heard that it must end, on a loaded machine too
        assert not draining.done()
        go_on.set()
        await draining
        assert len(far.taken) == 1
        await start(routes={"far.test": far.route})
        await office.outcome(second, "relayed")
        await office.outcome(first, "relayed", "relayed")
        assert len(far.taken) == 2


async def test_draining_does_not_wait_for_a_host_for_ever(office: Office, start: Any) -> None:
    """What was on the wire is not known to be taken: it is due again, without waiting for its lease."""
    begun = asyncio.Event()

    async def never(conversation: Any) -> str:
        begun.set()
        await asyncio.sleep(60)
        return ""

    async with Foreign(replies={"BODY": never}).open() as far:
        relay = await start(routes={"far.test": far.route}, drain_seconds=3.2)
        mail_id = await office.mail("a@far.test")
        await begun.wait()
        async with asyncio.timeout(3):
            await relay.drain()
        far.replies.clear()
        relay = await start(routes={"far.test": far.route})
        await office.outcome(mail_id, "relayed")
