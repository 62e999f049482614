"""Slow peers, and many large messages at once."""

import asyncio
import resource
from pathlib import Path

import pytest

from barid_smtp_ingress.policy import patience
from barid_smtp_ingress.policy.patience import out_of_patience

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nTo: anna@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"
LINE = b"a line of a large message, as there are so many in this world\r\n"


def sweep(rig: Rig, seconds: float) -> None:
    """As if so much time had passed."""
    now = asyncio.get_running_loop().time()
    for connection in rig.transports():
        connection.sweep(now + seconds)


async def test_a_silent_peer_is_let_go_after_five_minutes(served: Rig) -> None:
    client = await served.greeted()
    sweep(served, 1)
    sweep(served, patience.COMMAND - 10)
    assert (await client.ask("NOOP")).startswith("250")
    sweep(served, patience.COMMAND)
    sweep(served, 2 * patience.COMMAND - 10)
    assert (await client.ask("NOOP")).startswith("250")
    sweep(served, 2 * patience.COMMAND)
    sweep(served, 3 * patience.COMMAND + 10)
    assert (await client.rest()).startswith(b"421 4.4.2")
    await client.close()
    await served.nobody_connected()


async def test_a_command_can_t_be_dribbled(served: Rig) -> None:
    client = await served.greeted()
    sweep(served, 0)
    for part, octet in enumerate("NOOP never"):
        client.send(octet)
        await asyncio.sleep(0.01)
        sweep(served, 40.0 * part)
        if 40.0 * part > patience.COMMAND:
            break
    assert (await client.rest()).startswith(b"421 4.4.2")


async def test_a_message_must_have_a_pace(served: Rig) -> None:
    client = await served.greeted()
    for command in ("MAIL FROM:<sender@there.test>", "RCPT TO:<anna@here.test>", "DATA"):
        await client.ask(command)
    sweep(served, 0)
    client.send(LINE * 1000)
    await asyncio.sleep(0.05)
    sweep(served, patience.DATA_GRACE + 1)
    client.send("x")
    await asyncio.sleep(0.05)
    sweep(served, len(LINE) * 1000 / patience.DATA_RATE - 5)
    client.send("x")
    await asyncio.sleep(0.05)
    sweep(served, len(LINE) * 1000 / patience.DATA_RATE + 5)
    assert (await client.rest()).startswith(b"421 4.4.2")


async def test_the_time_that_we_need_is_not_the_peer_s(served: Rig, published: Published) -> None:
    """A directory that takes long, in the middle of which a sweep comes."""
    client = await served.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    client.send("RCPT TO:<anna@here.test>\r\n")
    for _ in range(20):
        sweep(served, 0)
        await asyncio.sleep(0.005)
    assert (await client.reply()).startswith("250")


@pytest.mark.parametrize(
    ("in_data", "idle", "since_answer", "in_message", "octets", "over"),
    [
        (False, 0, 299, 0, 0, False),
        (False, 0, 301, 0, 0, True),
        (True, 599, 10_000, 100, 0, False),
        (True, 601, 10_000, 100, 10**9, True),
        (True, 0, 10_000, 10_000, 256 * 10_000, False),
        (True, 0, 10_000, 10_000, 256 * 10_000 - 1, True),
    ],
)
def test_patience(in_data: bool, idle: float, since_answer: float, in_message: float, octets: int, over: bool) -> None:
    assert over == out_of_patience(
        in_data=in_data, idle=idle, since_answer=since_answer, in_message=in_message, octets=octets
    )


async def test_many_large_messages_at_once_are_bounded_in_memory(served: Rig, published: Published) -> None:
    """Twenty of 10 MB: 200 MB pass through a process that grows by a small part of it."""
    chunk = LINE * (1 << 10)

    async def send() -> str:
        client = await served.greeted()
        for command in ("MAIL FROM:<sender@there.test>", "RCPT TO:<anna@here.test>", "DATA"):
            await client.ask(command)
        client.send(BODY)
        for _ in range(10 * (1 << 20) // len(chunk)):
            client.send(chunk)
            await client.writer.drain()
        client.send(".\r\n")
        async with asyncio.timeout(60):
            return await client.reply()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = await asyncio.gather(*(send() for _ in range(20)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert all(answer.startswith("250") for answer in answers)
    # Both ends of every connection live in this process.
    assert grown < 80 * 1024
    mails = await published.mails(20)
    assert len({mail.ref.pack for mail in mails if mail.ref is not None}) == 20
    assert not list(Path(served.settings.journal).glob("*/spool/*"))


async def test_a_large_message_that_stops_half_way_leaves_no_file(served: Rig) -> None:
    client = await served.greeted()
    for command in ("MAIL FROM:<sender@there.test>", "RCPT TO:<anna@here.test>", "DATA"):
        await client.ask(command)
    client.send(LINE * 20_000)
    async with asyncio.timeout(5):
        while not list(served.settings.journal.glob("*/spool/*")):
            await asyncio.sleep(0.01)
    client.writer.transport.abort()
    async with asyncio.timeout(5):
        while list(served.settings.journal.glob("*/spool/*")):
            await asyncio.sleep(0.01)
    await served.nobody_connected()


async def test_a_large_message_with_a_bare_line_end_leaves_no_file(served: Rig) -> None:
    client = await served.greeted()
    reply = await client.deliver("anna@here.test", body=LINE * 20_000 + b"stray\nline\r\n" + LINE * 20_000)
    assert reply.startswith("554 5.6.0")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    assert not list(served.settings.journal.glob("*/spool/*"))


async def test_chunks_of_any_cut_make_the_same_message(served: Rig, published: Published) -> None:
    text = (BODY + "..dots\r\n" + "text\r\n" * 60_000).encode()
    for step in (len(text) + 3, 65_536, 16_411):
        client = await served.greeted()
        for command in ("MAIL FROM:<sender@there.test>", "RCPT TO:<anna@here.test>", "DATA"):
            await client.ask(command)
        whole = text + b".\r\n"
        for at in range(0, len(whole), step):
            client.send(whole[at : at + step])
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.reply()).startswith("250")
    mails = await published.mails(3)
    bodies = {await served.body(mail) for mail in mails}
    assert bodies == {text.replace(b"\r\n..dots", b"\r\n.dots")}
    assert len({(mail.structure, mail.envelope, mail.headers, mail.size) for mail in mails}) == 1
