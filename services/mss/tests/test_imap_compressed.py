"""COMPRESS=DEFLATE (RFC 4978) and UNAUTHENTICATE (RFC 8437) over a real socket."""

import contextlib
import zlib

import pytest

from barid_mss.handlers import searching

from .house import PASSWORD, House, Raw, letter

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Packed:
    """A client that packs what it says and unpacks what it hears."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._unpacker = zlib.decompressobj(-15)
        self.heard = b""
        self.octets = 0

    def send(self, data: bytes) -> None:
        self.raw.send(self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH))

    async def until(self, end: bytes) -> bytes:
        """All that came up to the line that begins so."""
        while b"\r\n" + end not in b"\r\n" + self.heard or not self.heard.endswith(b"\r\n"):
            data = await self.raw.reader.read(65536)
            assert data, self.heard
            self.octets += len(data)
            self.heard += self._unpacker.decompress(data)
        heard, self.heard = self.heard, b""
        return heard


async def test_all_is_packed_behind_the_ok(client: Raw) -> None:
    await client.append(letter("long", body="the same line again\r\n" * 5000))
    assert await client.ok("COMPRESS DEFLATE") == []
    packed = Packed(client)
    packed.send(b"p1 SELECT INBOX\r\n")
    assert b"* 1 EXISTS" in await packed.until(b"p1 OK")
    packed.send(b"p2 FETCH 1 BODY[TEXT]\r\n")
    before = packed.octets
    assert b"the same line again\r\n" * 5000 in await packed.until(b"p2 OK")
    assert packed.octets - before < 20_000
    packed.send(b"p3 COMPRESS DEFLATE\r\n")
    assert b"p3 NO [COMPRESSIONACTIVE]" in await packed.until(b"p3 NO")
    # A thousand to one: read no faster than it is answered.
    packed.send(b"".join(b"n%d CAPABILITY\r\n" % number for number in range(5000)))
    assert (await packed.until(b"n4999 OK")).count(b" OK ") == 5000
    packed.send(b"p4 UNAUTHENTICATE\r\n")
    await packed.until(b"p4 OK")
    client.count = 100
    await client.ok(f'LOGIN eve@here.test "{PASSWORD}"')
    assert b"* 0 EXISTS" in await client.ok("SELECT INBOX")


async def test_what_is_not_deflate_ends_the_session(one_house: House, user: str, client: Raw) -> None:
    await client.ok("COMPRESS DEFLATE")
    client.send(b"\xff" * 100)
    with contextlib.suppress(ConnectionResetError):
        assert await client.reader.read() == b""
    (await one_house.imap(user)).close()


async def test_a_flood_within_one_read_is_bounded(client: Raw) -> None:
    await client.ok("COMPRESS DEFLATE")
    packed = Packed(client)
    packed.send(b"x" * 5_000_000)
    heard = b""
    while data := await client.reader.read(65536):
        heard += packed._unpacker.decompress(data)
    assert b"* BAD Command is too long" in heard or b"* BYE" in heard


async def test_a_session_is_another_users(client: Raw) -> None:
    await client.ok("SELECT INBOX")
    await client.append(letter())
    await client.ok("UNAUTHENTICATE")
    assert (await client.ask("SELECT INBOX"))[1].startswith(b"BAD")
    await client.ok(f'LOGIN eve@here.test "{PASSWORD}"')
    assert b"* 0 EXISTS" in await client.ok("SELECT INBOX")


async def test_a_long_search_says_how_far_it_is(client: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TELL_EVERY", 0.0)
    monkeypatch.setattr(searching, "TURN", 0.0)
    await client.append(letter("one"))
    await client.append(letter("two"))
    await client.ok("SELECT INBOX")
    lines = await client.ok("SEARCH BODY nothing")
    assert b'* OK [INPROGRESS ("t%d" 2 2)] Still searching' % client.count in lines
    assert lines[-1] == b"* SEARCH"
