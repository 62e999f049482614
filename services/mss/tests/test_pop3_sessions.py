"""POP3 as a person could type it, and poplib."""

import asyncio
import poplib
import ssl
from pathlib import Path

from .house import PASSWORD, House, Raw, letter


async def _say(client: Raw, command: str) -> bytes:
    client.send(command.encode() + b"\r\n")
    return await client.line()


async def _listing(client: Raw) -> list[bytes]:
    lines = []
    while (line := await client.line()) != b".":
        lines.append(line)
    return lines


async def _pop3(house: House, name: str = "bob") -> Raw:
    client = await house.raw("pop3")
    assert (await _say(client, f"USER {name}@here.test")).startswith(b"+OK")
    assert (await _say(client, f"PASS {PASSWORD}")).startswith(b"+OK")
    return client


async def test_a_whole_session(house: House) -> None:
    await house.deliver("bob", message=letter("one", body=".dot\r\nlast"))
    await house.deliver("bob", message=letter("two", body="a\r\nb\r\nc\r\n"))
    client = await _pop3(house)
    assert (await _say(client, "STAT")).startswith(b"+OK 2 ")
    assert (await _say(client, "UIDL 1")).split(b" ")[2].endswith(b".1")
    assert (await _say(client, "RETR 1")).startswith(b"+OK ")
    lines = await _listing(client)
    assert lines[0] == b"Return-Path: <ann@far.test>"
    assert lines[-2:] == [b"..dot", b"last"]
    assert (await _say(client, "TOP 2 1")).startswith(b"+OK")
    assert (await _listing(client))[-2:] == [b"", b"a"]
    assert (await _say(client, "DELE 1")).startswith(b"+OK")
    assert (await _say(client, "RETR 1")).startswith(b"-ERR")
    assert (await _say(client, "QUIT")).startswith(b"+OK")
    imap = await house.imap()
    assert await imap.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 1)"]


async def test_a_lost_connection_deletes_nothing(house: House) -> None:
    await house.deliver("bob")
    client = await _pop3(house)
    await _say(client, "DELE 1")
    client.close()
    await asyncio.sleep(0.05)
    client = await _pop3(house)
    assert (await _say(client, "STAT")).startswith(b"+OK 1 ")


async def test_what_another_deleted_is_gone(house: House) -> None:
    await house.deliver("bob")
    client, other = await _pop3(house), await _pop3(house)
    await _say(other, "DELE 1")
    await _say(other, "QUIT")
    assert (await _say(client, "RETR 1")).startswith(b"-ERR")
    await _say(client, "DELE 1")
    assert (await _say(client, "QUIT")).startswith(b"+OK")


async def test_pipelining_and_sasl(house: House) -> None:
    await house.deliver("bob", message=letter(body="x\r\n" * 100_000))
    client = await house.raw("pop3")
    client.send(b"AUTH PLAIN AGJvYkBoZXJlLnRlc3QAY29ycmVjdCBob3JzZQ==\r\nRETR 1\r\nNOOP\r\nQUIT\r\n")
    assert (await client.line()).startswith(b"+OK 1 messages")
    assert (await client.line()).startswith(b"+OK 3")
    assert len(await _listing(client)) > 100_000
    assert await client.line() == b"+OK"
    assert (await client.line()).startswith(b"+OK")
    assert await client.line() == b""


async def test_wrong_password_and_an_outage(house: House) -> None:
    client = await house.raw("pop3")
    await _say(client, "USER bob@here.test")
    assert (await _say(client, "PASS nope")).startswith(b"-ERR [AUTH]")
    await house.stop_mailstore()
    await _say(client, "USER bob@here.test")
    assert (await _say(client, f"PASS {PASSWORD}")).startswith(b"-ERR [SYS/TEMP]")
    await house.start_mailstore()
    await _say(client, "USER bob@here.test")
    assert (await _say(client, f"PASS {PASSWORD}")).startswith(b"+OK 0 messages")


async def test_a_corrupt_body_is_an_error_of_its_own(house: House) -> None:
    await house.deliver("bob", message=letter(body="find me\r\n"))
    await house.deliver("bob")
    (pack,) = Path(house.data, "journal").glob("smtp_ingress.*/*.pack")
    at = pack.read_bytes().index(b"find me")
    with open(pack, "r+b") as file:
        file.seek(at)
        file.write(b"FIND")
    client = await _pop3(house)
    assert (await _say(client, "RETR 1")).startswith(b"-ERR [SYS/PERM]")
    assert (await _say(client, "RETR 2")).startswith(b"+OK")


async def test_poplib_over_tls(house: House) -> None:
    await house.deliver("bob", message=letter("for poplib"))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def visit(box: poplib.POP3) -> list[bytes]:
        box.user("bob@here.test")
        box.pass_(PASSWORD)
        assert box.stat()[0] == 1
        assert len(box.uidl()[1]) == 1
        lines = box.retr(1)[1]
        box.quit()
        return lines

    def implicit() -> list[bytes]:
        return visit(poplib.POP3_SSL("127.0.0.1", house.port("pop3s"), context=context, timeout=10))

    def stls() -> list[bytes]:
        box = poplib.POP3("127.0.0.1", house.port("pop3"), timeout=10)
        box.stls(context)
        return visit(box)

    assert b"Subject: for poplib" in await asyncio.to_thread(implicit)
    assert b"Subject: for poplib" in await asyncio.to_thread(stls)
