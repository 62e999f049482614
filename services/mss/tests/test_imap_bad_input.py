"""What nobody should send, each answered, none of it costing more than its own session."""

import asyncio
import socket

from .house import PASSWORD, House, letter


async def test_unknown_and_malformed_commands(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    for command in (
        "NONSENSE",
        "FETCH",
        "FETCH 0 FLAGS",
        "FETCH 1 (FLAGS",
        "SEARCH",
        "STORE 1 FLAGS \\Nope",
        "UID",
        "STATUS INBOX ()",
        "LOGIN a b",
        "FETCH 99 FLAGS",
    ):
        _, end = await client.ask(command)
        assert end.startswith(b"BAD"), command
    await client.ok("NOOP")


async def test_a_literal_of_four_gigabytes(house: House) -> None:
    client = await house.imap()
    client.send(b"a APPEND INBOX {4294967296}\r\n")
    assert (await client.line()).startswith(b"a NO [TOOBIG]")
    await client.ok("NOOP")
    client.send(b"b APPEND INBOX {4294967296+}\r\nand so on\r\n")
    assert (await client.line()).startswith(b"* BYE")
    assert await client.line() == b""


async def test_literals_where_none_belong(house: House) -> None:
    client = await house.imap()
    client.send(b"a SELECT {5}\r\n")
    assert (await client.line()).startswith(b"+ ")
    client.send(b"INBOX\r\n")
    _, end = await client.answer(b"a")
    assert end.startswith(b"OK")
    client.send(b"b FETCH {99999999999999999999}\r\n")
    assert (await client.line()).startswith(b"b BAD")
    client.send(b"c APPEND INBOX {3+}\r\nx\0y\r\n")
    assert (await client.line()).startswith(b"c BAD")
    await client.ok("NOOP")


async def test_an_append_that_breaks_off_leaves_nothing(house: House) -> None:
    client = await house.imap()
    client.send(b"a APPEND INBOX {1000000+}\r\n" + b"x" * 500_000)
    await asyncio.sleep(0.1)
    client.close()
    other = await house.imap()
    assert await other.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)"]
    async with asyncio.timeout(5):
        while list(house.data.glob("journal/mss.*/spool/*")):
            await asyncio.sleep(0.01)


async def test_http_and_tls_on_the_plain_port(house: House) -> None:
    client = await house.raw()
    client.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert (await client.line()).startswith(b"* BYE")
    client = await house.raw()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))
    assert (await client.line()).startswith(b"* BYE")


async def test_rubbish_on_the_tls_port(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("imaps"))
    writer.write(b"a LOGIN bob bob\r\n")
    assert b"a " not in await reader.read(-1)
    writer.close()


async def test_a_reader_that_never_reads_makes_us_hold_little(house: House) -> None:
    await house.deliver("bob", message=letter(body="0123456789abcdef" * 64 * 1024 * 6))  # 6 MB
    loop = asyncio.get_running_loop()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    await loop.sock_connect(deaf, ("127.0.0.1", house.port("imap")))
    await loop.sock_sendall(deaf, f'a LOGIN bob@here.test "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
    await loop.sock_sendall(deaf, b"c FETCH 1 BODY.PEEK[]\r\n" * 100)
    await asyncio.sleep(0.5)
    assert house.server is not None
    (connection,) = house.server._listeners["imap"].connections
    assert connection.clogged  # type: ignore[attr-defined]
    assert connection.transport.get_write_buffer_size() < 512 * 1024  # type: ignore[attr-defined]
    client = await house.imap(mailbox="INBOX")
    await client.ok("NOOP")
    deaf.close()


async def test_commands_behind_a_slow_one_are_read_in_small_doses(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    for number in range(3000):
        client.send(b"n%d NOOP\r\n" % number)
    _, end = await client.answer(b"n2999", within=20)
    assert end.startswith(b"OK")


async def test_a_strangers_connection_ends(house: House) -> None:
    from barid_mss.policy import patience

    client = await house.raw()
    logged_in = await house.imap()
    assert house.server is not None
    now = asyncio.get_running_loop().time()
    for connection in house.server._listeners["imap"].connections:
        connection.sweep(now + patience.LOGIN + 1)
    assert (await client.line()).startswith(b"* BYE Log-in takes too long")
    await logged_in.ok("NOOP")
    for connection in house.server._listeners["imap"].connections:
        connection.sweep(now)
        connection.sweep(now + patience.IMAP_IDLE + 1)
    assert (await logged_in.line()).startswith(b"* BYE Idle for too long")
