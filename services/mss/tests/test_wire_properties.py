"""Whatever way bytes come, the same is answered; whatever bytes come, everybody else is served."""

import asyncio
import random
import socket
import ssl

import pytest

from .house import PASSWORD, House, letter

DIALOGUE = (
    f'a LOGIN bob@here.test "{PASSWORD}"\r\n'
    "b SELECT INBOX\r\n"
    "c FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[])\r\n"
    "d APPEND Drafts (\\Draft) {11+}\r\nhello world\r\n"
    "e SEARCH TEXT {5+}\r\nhello\r\n"
    "f NONSENSE\r\n"
    "g STATUS INBOX (MESSAGES)\r\n"
    "h IDLE\r\nDONE\r\n"
    "i FETCH 1 {2+}\r\nxx\r\n"
    "j UID COPY 1 Archive\r\n"
    "k LOGOUT\r\n"
).encode()


async def _played(house: House, chunks: list[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port("imap"))
    writer.transport.set_write_buffer_limits(0)  # type: ignore[attr-defined]
    for chunk in chunks:
        writer.write(chunk)
        if len(chunk) < 100:
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        answer = await reader.read(-1)
    writer.close()
    return answer


@pytest.mark.parametrize("seed", range(5))
async def test_chunks_change_nothing(house: House, seed: int) -> None:
    await house.deliver("bob", message=letter("hello"))
    chance = random.Random(seed)
    (await house.imap(mailbox="INBOX")).close()  # takes \Recent, and is gone before the two
    await asyncio.sleep(0.05)
    whole = await _played(house, [DIALOGUE])
    cuts = sorted(chance.sample(range(1, len(DIALOGUE)), 1 + seed * 30))
    pieces = [DIALOGUE[start:end] for start, end in zip([0, *cuts], [*cuts, len(DIALOGUE)], strict=True)]
    cut = await _played(house, pieces)
    # What differs by nature: the UIDs that copies get.
    assert [line for line in cut.splitlines() if b"APPENDUID" not in line and b"COPYUID" not in line] == [
        line for line in whole.splitlines() if b"APPENDUID" not in line and b"COPYUID" not in line
    ]
    assert whole.count(b"\n") > 20


@pytest.mark.parametrize("door", ["imap", "imaps", "pop3", "pop3s"])
async def test_noise(house: House, door: str) -> None:
    chance = random.Random(door)
    witness = await house.imap(mailbox="INBOX")
    words = b'a LOGIN |USER |{5}\r\n|{99999+}\r\n|\r\n|\0|(|"|AUTH PLAIN |\xff\xfe'.split(b"|")

    async def shout() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port(door))
        for _ in range(chance.randrange(1, 20)):
            if writer.transport.is_closing():
                break
            writer.write(chance.choice([*words, chance.randbytes(chance.randrange(1, 2000))]))
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()

    await asyncio.gather(*[shout() for _ in range(40)])
    await witness.ok("NOOP")
    assert house.server is not None
    async with asyncio.timeout(10):
        while sum(len(list(listener.connections)) for listener in house.server._listeners.values()) > 1:
            await asyncio.sleep(0.02)


async def test_a_tls_reader_that_never_reads(house: House) -> None:
    await house.deliver("bob", message=letter(body="0123456789abcdef" * 64 * 1024 * 6))
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def ask() -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", house.port("imaps")))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf = context.wrap_socket(plain)
        deaf.sendall(f'a LOGIN bob@here.test "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
        deaf.sendall(b"c FETCH 1 BODY.PEEK[]\r\n" * 100)
        return deaf

    deaf = await asyncio.to_thread(ask)
    await asyncio.sleep(0.5)
    assert house.server is not None
    (connection,) = house.server._listeners["imaps"].connections
    assert connection.clogged  # type: ignore[attr-defined]
    assert connection.transport.get_write_buffer_size() < 512 * 1024  # type: ignore[attr-defined]
    client = await house.imap(mailbox="INBOX")
    await client.ok("NOOP")
    deaf.close()


async def test_who_takes_nothing_is_given_up(house: House) -> None:
    from barid_mss.policy import patience

    await house.deliver("bob", message=letter(body="0123456789abcdef" * 64 * 1024 * 6))
    client = await house.raw(limit=1024)
    client.send(f'a LOGIN bob@here.test "{PASSWORD}"\r\nb SELECT INBOX\r\n'.encode())
    client.send(b"c FETCH 1 BODY.PEEK[]\r\n" * 20)
    await asyncio.sleep(0.3)
    assert house.server is not None
    (connection,) = house.server._listeners["imap"].connections
    now = asyncio.get_running_loop().time()
    connection.sweep(now + patience.CLOGGED - 1)
    assert not connection.gone  # type: ignore[attr-defined]
    connection.sweep(now + patience.CLOGGED + 1)
    await asyncio.sleep(0.1)
    assert connection.gone  # type: ignore[attr-defined]
