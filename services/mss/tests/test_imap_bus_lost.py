"""The bus dies under sessions and comes back; everybody has no more than their own permissions on it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect

from .house import House, letter, open_house

SECRET = "for tests"


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    nats = EmbeddedNats(tmp_path / "nats", users=dict.fromkeys(("directory", "mailstore", "mss", "barid"), SECRET))
    await nats.start()
    yield nats
    await nats.stop()


@pytest_asyncio.fixture
async def own_house(tmp_path: Path, nats: EmbeddedNats) -> AsyncIterator[House]:
    bus = await connect(nats.url, user="barid", password=SECRET, name="test")
    async with open_house(tmp_path / "data", nats.url, bus, secret=SECRET) as house:
        yield house
    await bus.close()


async def _back(house: House) -> None:
    assert house.server is not None
    async with asyncio.timeout(10):
        while house.server.checks()["bus"] != "ok" or not house.bus.connected:
            await asyncio.sleep(0.02)


async def test_sessions_live_on(own_house: House, nats: EmbeddedNats) -> None:
    house = own_house
    client, idle = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    await client.append(letter("before"))
    await idle.idle()
    await nats.kill()
    assert (await client.no("STATUS INBOX (MESSAGES)")).startswith(b"NO [UNAVAILABLE]")
    assert (await client.no("STORE 1 +FLAGS (\\Seen)")).startswith(b"NO [UNAVAILABLE]")
    assert (await client.append(letter("lost"))).startswith(b"NO [UNAVAILABLE]")
    assert await client.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 1)"]
    assert house.server is not None
    assert house.server.checks()["bus"] == "not connected"
    await nats.start()
    await _back(house)
    async with asyncio.timeout(10):
        while True:
            _, end = await client.ask("STORE 1 +FLAGS (\\Flagged)")
            if end.startswith(b"OK"):
                break
            await asyncio.sleep(0.05)
    assert await idle.line() in (b"* 1 EXISTS", b"* 1 FETCH (UID 1 FLAGS (\\Flagged))")
    await client.append(letter("after"))
    async with asyncio.timeout(5):
        while await idle.line() != b"* 2 EXISTS":
            pass


async def test_what_happened_meanwhile_is_told_when_it_is_back(own_house: House, nats: EmbeddedNats) -> None:
    """Another way for mail to come in than the bus that was lost here: the event alone is lost."""
    house = own_house
    idle = await house.imap(mailbox="INBOX")
    await idle.idle()
    assert house.server is not None
    assert house.server._desk is not None
    view = house.server._desk.shelf.find(house.accounts["bob"], "INBOX")
    assert view is not None
    view.hear = lambda change: None  # type: ignore[method-assign]
    await house.deliver("bob")
    await nats.kill()
    await nats.start()
    assert await idle.line(within=10) == b"* 1 EXISTS"
