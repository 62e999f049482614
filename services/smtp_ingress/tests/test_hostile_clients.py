"""What nobody should send, each answered by the right reply, none of it harming anybody else."""

import asyncio
import socket

import pytest

from .ingress_rig import Published, Rig

BODY = "From: Sender <sender@there.test>\r\nTo: anna@here.test\r\nSubject: hello\r\n\r\nHow are you?\r\n"


async def still_serves(rig: Rig) -> None:
    client = await rig.greeted()
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")


@pytest.mark.parametrize("stray", ["one\ntwo", "one\rtwo", "\n.\r\n", "\r\n.\n", "\n.\n", "\r.\r", "\r\n.\r", "a\0b"])
async def test_bare_line_ends_and_nul_are_refused_and_end_nothing(
    served: Rig, published: Published, stray: str
) -> None:
    smuggled = "MAIL FROM:<boss@here.test>\r\nRCPT TO:<ben@here.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi"
    client = await served.greeted()
    await client.ask("MAIL FROM:<sender@there.test>")
    await client.ask("RCPT TO:<anna@here.test>")
    await client.ask("DATA")
    assert (await client.ask((BODY + stray + smuggled + "\r\n.\r\n").encode())).startswith("554 5.6.0")
    # Exactly one reply: the session is in step.
    assert (await client.ask("NOOP")).startswith("250")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    assert (await published.mail()).subject == "hello"


async def test_submission_mends_what_port_25_refuses_and_is_not_smuggled_through(
    served: Rig, published: Published
) -> None:
    client = await served.logged_in()
    body = "From: anna@here.test\r\n\r\none\n.\r\nMAIL FROM:<anna@here.test>\r\ntwo\r\n"
    assert (await client.deliver("ben@here.test", body=body, sender="anna@here.test")).startswith("250")
    assert (await served.body(await published.mail())).endswith(
        b"\r\none\r\n.\r\nMAIL FROM:<anna@here.test>\r\ntwo\r\n"
    )


async def test_unknown_verbs_and_long_lines(served: Rig) -> None:
    client = await served.greeted()
    assert (await client.ask("XYZZY")).startswith("500 5.5.2")
    assert (await client.ask("EXPN list")).startswith("5")
    assert (await client.ask("VRFY anna")).startswith("252")
    assert (await client.ask("NOOP " + "x" * 1000)).startswith("500 5.5.2")
    assert (await client.ask("x" * 20_000)).startswith("500 5.5.2")
    assert (await client.ask(b"MAIL FROM:<\xff\xfe@\x00>\r\n")).startswith("501")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")
    client.send("y" * 10_000_000)
    assert b"250" not in await client.rest()
    await still_serves(served)


async def test_a_scanner_is_shown_the_door(served: Rig) -> None:
    client = await served.greeted()
    client.send("GARBAGE\r\n" * 50)
    answers = (await client.rest()).decode().splitlines()
    assert answers[-1].startswith("421 4.7.0")
    assert len(answers) == 11


async def test_oversize_is_refused_before_and_during_data(rig: Rig) -> None:
    await rig.start(max_size=100_000)
    client = await rig.greeted()
    assert (await client.ask("MAIL FROM:<sender@there.test> SIZE=100001")).startswith("552 5.3.4")
    reply = await client.deliver("anna@here.test", body=BODY + "a line of text\r\n" * 10_000)
    assert reply.startswith("552 5.3.4")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")


async def test_http_on_the_mail_port(served: Rig) -> None:
    client = await served.connect()
    client.send("POST / HTTP/1.1\r\nHost: mx.here.test\r\n\r\nMAIL FROM:<a@b.test>\r\n")
    answers = (await client.rest()).decode().splitlines()
    assert [line[:3] for line in answers] == ["220", "421"]
    await still_serves(served)


async def test_tls_on_the_plain_port(served: Rig) -> None:
    client = await served.connect()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300))
    assert (await client.rest()).startswith(b"220")
    await still_serves(served)


async def test_plain_text_on_the_tls_port(served: Rig) -> None:
    client = await served.connect("submissions")
    client.send("EHLO client.test\r\n")
    assert b"250" not in await client.rest()
    await served.nobody_connected()
    await still_serves(served)


async def test_what_is_pipelined_behind_starttls_is_not_read(served: Rig) -> None:
    client = await served.greeted()
    client.send("STARTTLS\r\nMAIL FROM:<evil@there.test>\r\n")
    assert (await client.reply()).startswith("220")
    await client.start_tls()
    # Not in a transaction, and not even greeted: the session began again (RFC 3207 §4.2).
    assert (await client.ask("RCPT TO:<anna@here.test>")).startswith("503")
    assert (await client.ask("EHLO client.test")).startswith("250")
    assert (await client.deliver("anna@here.test", body=BODY)).startswith("250")


async def test_a_broken_handshake_leaves_nothing_behind(served: Rig) -> None:
    client = await served.greeted()
    assert (await client.ask("STARTTLS")).startswith("220")
    client.send("this is no handshake\r\n")
    await client.rest()
    await served.nobody_connected()
    await still_serves(served)


async def test_a_half_closed_connection_still_gets_its_answer(served: Rig, published: Published) -> None:
    client = await served.connect()
    client.send(
        "EHLO client.test\r\nMAIL FROM:<sender@there.test>\r\nRCPT TO:<anna@here.test>\r\nDATA\r\n" + BODY + ".\r\n"
    )
    client.writer.write_eof()
    answers = (await client.rest()).decode().splitlines()
    assert answers[-1].startswith("250 2.0.0 Ok: accepted as ")
    await published.mail()


async def test_connections_that_are_reset_are_forgotten(served: Rig) -> None:
    for sent in (b"", b"EHLO x", b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<anna@here.test>\r\nDATA\r\nhalf a mes"):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port("smtp"))
        writer.write(sent)
        await reader.read(10)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
    await served.nobody_connected()
    await still_serves(served)


async def test_too_many_connections(rig: Rig) -> None:
    await rig.start(unlimited_networks=[], max_connections_per_network=3, max_connections=4)
    held = [await rig.greeted() for _ in range(3)]
    extra = await rig.connect()
    assert (await extra.rest()).startswith(b"421 4.7.0")
    implicit = await rig.connect("submissions")
    assert await implicit.rest() == b""
    await held.pop().close()
    async with asyncio.timeout(5):
        while rig.open_connections() > 2:
            await asyncio.sleep(0.01)
    await still_serves(rig)


async def test_too_many_connections_in_all(rig: Rig) -> None:
    await rig.start(max_connections=3)
    held = [await rig.greeted() for _ in range(3)]
    extra = await rig.connect()
    assert (await extra.rest()).startswith(b"421 4.3.2")
    assert len(held) == 3


async def test_one_octet_at_a_time(served: Rig, published: Published) -> None:
    client = await served.greeted()
    talk = "MAIL FROM:<sender@there.test>\r\nRCPT TO:<anna@here.test>\r\nDATA\r\n" + BODY + "..dot\r\n.\r\n"
    for octet in talk.encode():
        client.send(bytes([octet]))
        await client.writer.drain()
        await asyncio.sleep(0)
    assert [reply[:3] for reply in await client.replies(4)] == ["250", "250", "354", "250"]
    assert (await served.body(await published.mail())).endswith(b"\r\n.dot\r\n")


async def test_a_peer_that_reads_nothing_is_not_written_to_without_end(served: Rig) -> None:
    client = await served.greeted()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(200):
        client.send("HELP\r\n" * 1000)
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    await still_serves(served)
    for transport in served.transports():
        assert transport.transport.get_write_buffer_size() < 2 << 20
