"""The mailstore, the directory and the bus come and go under sessions that live on."""

import asyncio
from typing import NoReturn

from barid_runtime.bus.port import DeadlineExceeded

from .house import PASSWORD, House, letter


async def test_the_mailstore_is_away_and_comes_back(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.append(letter())
    idle = await house.imap(mailbox="INBOX")
    await house.stop_mailstore()
    for command in ("STATUS INBOX (MESSAGES)", 'LIST "" *', "STORE 1 +FLAGS (\\Seen)", "FETCH 1 ENVELOPE", "EXPUNGE"):
        assert (await client.no(command)).startswith(b"NO [UNAVAILABLE]"), command
    assert (await client.append(letter())).startswith(b"NO [UNAVAILABLE]")
    assert await client.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 1)"]
    await client.ok("NOOP")
    await idle.idle()
    await house.start_mailstore()
    await house.deliver("bob")
    assert await idle.line() == b"* 2 EXISTS"
    assert b"* 2 EXISTS" in await client.ok("NOOP")
    await client.ok("STORE 1 +FLAGS (\\Seen)")


async def test_a_failed_select_by_an_outage_can_be_repeated(house: House) -> None:
    client = await house.imap()
    await house.stop_mailstore()
    assert (await client.no("SELECT INBOX")).startswith(b"NO [UNAVAILABLE]")
    await house.start_mailstore()
    await client.ok("SELECT INBOX")


async def test_the_directory_is_away(house: House) -> None:
    assert house.directory is not None
    await house.directory.drain()
    client = await house.raw()
    assert (await client.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [UNAVAILABLE]")
    house.directory = None


async def test_a_lost_event_is_made_good_by_the_next_one(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    assert house.server is not None
    assert house.server._desk is not None
    view = house.server._desk.shelf.find(house.accounts["bob"], "INBOX")
    assert view is not None
    hear, view.hear = view.hear, lambda change: None  # type: ignore[method-assign]
    await house.deliver("bob")
    await asyncio.sleep(0.05)
    view.hear = hear  # type: ignore[method-assign]
    await client.idle()
    await house.deliver("bob")
    assert await client.line() == b"* 2 EXISTS"


async def test_a_lost_last_event_is_made_good_by_the_heartbeat(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    assert house.server is not None
    assert house.server._desk is not None
    shelf = house.server._desk.shelf
    view = shelf.find(house.accounts["bob"], "INBOX")
    assert view is not None
    view.hear = lambda change: None  # type: ignore[method-assign]
    await client.idle()
    await house.deliver("bob")
    await asyncio.sleep(0.05)
    await shelf.heartbeat()
    assert await client.line() == b"* 1 EXISTS"


async def test_a_lost_last_event_is_made_good_when_the_mailstore_starts(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    assert house.server is not None
    assert house.server._desk is not None
    view = house.server._desk.shelf.find(house.accounts["bob"], "INBOX")
    assert view is not None
    view.hear = lambda change: None  # type: ignore[method-assign]
    await client.idle()
    await house.deliver("bob")
    await house.stop_mailstore()
    await house.start_mailstore()
    assert await client.line() == b"* 1 EXISTS"


async def test_over_quota(house: House) -> None:
    from barid_contracts.directory import ACCOUNT_UPDATE, AccountUpdate
    from barid_runtime.bus.typed import call

    client = await house.imap(mailbox="INBOX")
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address="bob@here.test", quota=10_000))
    await asyncio.sleep(0.1)
    assert (await client.append(letter(body="x" * 20_000))).startswith(b"NO [OVERQUOTA]")
    client.send(b"a APPEND INBOX {200000}\r\n")
    assert (await client.line()).startswith(b"a NO [OVERQUOTA]")


async def test_a_disabled_account_is_shown_out(house: House) -> None:
    from barid_contracts.directory import ACCOUNT_UPDATE, AccountUpdate
    from barid_runtime.bus.typed import call

    client, other = await house.imap(), await house.imap("eve")
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address="bob@here.test", enabled=False))
    assert (await client.line()).startswith(b"* BYE The account is not available any more")
    await other.ok("NOOP")


async def test_draining_says_goodbye_at_command_boundaries(house: House) -> None:
    idle, resting, busy = await house.imap(mailbox="INBOX"), await house.imap(), await house.imap()
    await idle.idle()
    busy.send(b"a APPEND INBOX {4}\r\n")
    assert (await busy.line()).startswith(b"+ ")
    assert house.server is not None
    draining = asyncio.ensure_future(house.server.drain())
    assert (await idle.line()).startswith(b"* BYE [UNAVAILABLE]")
    assert (await resting.line()).startswith(b"* BYE [UNAVAILABLE]")
    busy.send(b"x\r\n\r\r\n")
    assert (await busy.line()).startswith(b"a OK [APPENDUID")
    assert (await busy.line()).startswith(b"* BYE [UNAVAILABLE]")
    await draining
    assert house.server.checks() == {"mss": "not started"}


async def test_a_write_that_was_done_is_not_denied_because_the_mailstore_went_away_then(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    for number in range(3):
        await client.append(letter(f"m{number}"))
    assert house.server is not None
    assert house.server._desk is not None
    view = house.server._desk.shelf.find(house.accounts["bob"], "INBOX")
    assert view is not None
    hear, view.hear = view.hear, lambda change: None  # type: ignore[method-assign]
    ask = view._ask

    async def broken(*arguments: int) -> NoReturn:
        raise DeadlineExceeded("the mailstore is gone")

    view._ask = broken  # type: ignore[method-assign]
    assert await client.ok("STORE 1 +FLAGS (\\Deleted)") == [b"* 1 FETCH (FLAGS (\\Deleted \\Recent))"]
    lines, end = await client.ask("EXPUNGE")
    assert (lines, end) == ([], b"OK Expunged")
    view._ask = ask  # type: ignore[method-assign]
    view.hear = hear  # type: ignore[method-assign]
    await client.idle()
    assert await client.line() == b"* 1 EXPUNGE"
