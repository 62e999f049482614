"""What stands behind the ingress may be away: mail for known recipients is taken, and nothing accepted is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from barid_contracts.directory import ACCOUNT_DELETE, RESOLVE, AddressName, ResolveReply
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.typed import answer, call
from barid_smtp_ingress.handlers.recipients import MAX_DETAILS
from barid_testing.faulty_device import BROKEN, FULL, FaultyDevice

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nTo: anna@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"
BIG = BODY + "a line of a large message\r\n" * 40_000


async def test_directory_away_known_recipients_are_taken(served: Rig, published: Published) -> None:
    client = await served.greeted()
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    await served.stop_directory()
    await served.forget_freshness()
    await client.ask("MAIL FROM:<sender@there.test>")
    client.send("RCPT TO:<ben@here.test>\r\nRCPT TO:<anna@here.test>\r\nRCPT TO:<postmaster>\r\n")
    assert [reply[:9] for reply in await client.replies(3)] == ["451 4.4.3", "250 2.1.5", "451 4.4.3"]
    assert (await client.ask("DATA")).startswith("354")
    assert (await client.ask(BODY.encode() + b".\r\n")).startswith("250")
    assert len(await published.mails(2)) == 2
    await served.start_directory()
    assert (await client.deliver("ben@here.test", body=BODY)).startswith("250")


async def test_directory_away_nobody_logs_in(served: Rig) -> None:
    await served.stop_directory()
    client = await served.connect("submissions", tls=True)
    await client.reply()
    await client.ask("EHLO client.test")
    assert (await client.ask("AUTH PLAIN AGFubmFAaGVyZS50ZXN0AHNlY3JldC1hbm5h")).startswith("454 4.7.0")


async def test_a_directory_that_hangs_costs_one_wait(served: Rig) -> None:
    client = await served.greeted()
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    await served.stop_directory()

    released = asyncio.Event()

    async def hang(_: Any) -> ResolveReply:
        await released.wait()
        return ResolveReply(resolutions=[])

    hanging = await connect(served.nats_url, name="hanging")
    await answer(hanging, RESOLVE, hang, queue="directory")
    await served.forget_freshness()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(5):
        assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    assert loop.time() - begun < 4.5
    released.set()
    await hanging.close()


async def test_known_recipients_outlive_the_process(rig: Rig) -> None:
    await rig.start()
    client = await rig.greeted()
    assert (await client.deliver("anna@here.test", "ben+x@here.test", body=BODY)).startswith("250")
    await rig.stop()
    await rig.stop_directory()
    await rig.start()
    client = await rig.greeted()
    assert (await client.deliver("anna@here.test", "BEN+x@here.test", body=BODY)).startswith("250")
    assert (await client.deliver("cleo@here.test", body=BODY)).startswith("451 4.4.3")


async def test_made_up_details_push_out_nobody(rig: Rig) -> None:
    ingress = await rig.start(known_recipients=20)
    client = await rig.greeted()
    assert (await client.deliver("ben@here.test", "anna@here.test", body=BODY)).startswith("250")
    await client.ask("MAIL FROM:<sender@there.test>")
    client.send("".join(f"RCPT TO:<anna+{n}@here.test>\r\n" for n in range(100)))
    assert {reply[:3] for reply in await client.replies(100)} == {"250"}
    await client.ask("RSET")
    assert len(ingress._recipients) == 2 + MAX_DETAILS
    await rig.stop()
    await rig.stop_directory()
    ingress = await rig.start(known_recipients=20)
    assert len(ingress._recipients) == 2 + MAX_DETAILS
    client = await rig.greeted()
    assert (await client.deliver("ben@here.test", "anna@here.test", "anna+99@here.test", body=BODY)).startswith("250")
    assert (await client.deliver("anna+1@here.test", body=BODY)).startswith("451 4.4.3")


async def test_who_is_gone_is_not_known_any_more(served: Rig) -> None:
    client = await served.greeted()
    assert (await client.deliver("cleo@here.test", "cleo+x@here.test", body=BODY)).startswith("250")
    await call(served.bus, ACCOUNT_DELETE, AddressName(address="cleo@here.test"))
    async with asyncio.timeout(5):
        while not (await client.deliver("cleo+x@here.test", body=BODY)).startswith("550 5.1.1"):
            await client.ask("RSET")
    await client.ask("RSET")
    assert (await client.deliver("cleo@here.test", body=BODY)).startswith("550 5.1.1")
    await served.stop_directory()
    await client.ask("RSET")
    await served.forget_freshness()
    assert (await client.deliver("cleo@here.test", body=BODY)).startswith("451")


@pytest_asyncio.fixture
async def own_bus(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A server that the test may kill."""
    nats = EmbeddedNats(tmp_path / "own-nats")
    await nats.start()
    yield nats
    await nats.stop()


async def test_bus_away_mail_is_taken_and_published_when_it_is_back(own_bus: EmbeddedNats, tmp_path: Path) -> None:
    """The ingress is restarted meanwhile, without any bus; nothing is published twice or not at all."""
    bus = await connect(own_bus.url, name="test")
    rig = Rig(bus, own_bus.url, tmp_path)
    try:
        await rig.start_directory()
        await rig.start()
        client = await rig.greeted()
        ids = [(await client.deliver("anna@here.test", body=BODY)).rpartition(" ")[2]]
        await rig.publisher.idle()
        await own_bus.kill()
        ids.append((await client.deliver("anna@here.test", body=BODY)).rpartition(" ")[2])
        assert (await client.deliver("ben@here.test", body=BODY)).startswith("451 4.4.3")
        assert rig.publisher.backlog == 1
        assert rig.ingress is not None and set(rig.ingress.checks().values()) == {"ok"}
        await rig.stop()
        await rig.start()
        client = await rig.greeted()
        ids.append((await client.deliver("anna@here.test", body=BODY)).rpartition(" ")[2])
        await own_bus.start()
        async with asyncio.timeout(15):
            await rig.publisher.idle()
            while not bus.connected:
                await asyncio.sleep(0.05)
        published = Published(bus)
        await published.start()
        assert sorted(mail.mail_id for mail in await published.mails(3)) == sorted(ids)
    finally:
        await rig.stop()
        await rig.stop_directory()
        await bus.close()


async def test_a_full_disk_says_come_again_and_recovers(rig: Rig, published: Published) -> None:
    disk = FaultyDevice()
    ingress = await rig.start(device=disk)
    client = await rig.greeted()
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    disk.fail = {"write_durably": FULL, "write": FULL, "copy": FULL}
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("452 4.3.1")
    assert (await client.deliver("anna@here.test", body=BIG)).startswith("452 4.3.1")
    disk.fail = {}
    assert (await client.deliver("anna@here.test", body=BIG)).startswith("250")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    assert ingress.checks()["journal"] == "ok"
    assert len(await published.mails(3)) == 3


async def test_a_failing_disk_shows_in_readiness_until_the_journal_succeeds_by_itself(
    rig: Rig, published: Published
) -> None:
    disk = FaultyDevice()
    ingress = await rig.start(device=disk)
    client = await rig.greeted()
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    disk.fail = {"write_durably": BROKEN}
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("451 4.3.0")
    assert ingress.checks()["journal"] != "ok"
    disk.fail = {}
    await ingress._try_journal()
    assert ingress.checks()["journal"] == "ok"
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    assert len(await published.mails(2)) == 2


async def test_a_message_that_arrives_is_finished_before_the_end(served: Rig, published: Published) -> None:
    idle = await served.greeted()
    busy = await served.greeted()
    await busy.ask("MAIL FROM:<sender@there.test>")
    await busy.ask("RCPT TO:<anna@here.test>")
    await busy.ask("DATA")
    busy.send(BODY)
    half = await served.greeted()
    half.send("MAIL FROM:<sender@there.test>\r\nRCPT TO:<anna@here.test>\r\n")
    await half.replies(2)
    port = served.port("smtp")
    assert served.ingress is not None
    draining = asyncio.create_task(served.ingress.drain())
    assert (await idle.rest()).startswith(b"421 4.3.2")
    assert (await half.rest()).startswith(b"421 4.3.2")
    assert not draining.done()
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        refused = error
    assert isinstance(refused, ConnectionRefusedError)
    busy.send("and the rest\r\n.\r\nMAIL FROM:<sender@there.test>\r\n")
    answers = (await busy.rest()).decode().splitlines()
    assert answers[0].startswith("250 2.0.0 Ok")
    assert answers[1].startswith("421 4.3.2")
    await draining
    assert (await published.mail()).mail_id == answers[0].rpartition(" ")[2]
    assert list((served.data / "journal").glob("*/*.pack"))


async def test_a_message_that_never_ends_does_not_hold_up_the_end(rig: Rig) -> None:
    await rig.start(drain_seconds=5.5)
    client = await rig.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    await client.ask("RCPT TO:<anna@here.test>")
    await client.ask("DATA")
    client.send(BIG)
    assert rig.ingress is not None
    async with asyncio.timeout(4):
        await rig.ingress.drain()
    assert (await client.rest()).startswith(b"421 4.3.2")
    assert not list((rig.data / "journal").glob("*/spool/*"))
