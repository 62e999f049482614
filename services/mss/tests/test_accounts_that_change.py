"""Accounts are disabled, deleted, get another password: whoever is logged in goes, also if the news of it was lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import barid_directory.handlers.accounts
from barid_contracts.directory import (
    ACCOUNT_DELETE,
    ACCOUNT_GET,
    ACCOUNT_UPDATE,
    DIRECTORY_CHANGED,
    PASSWORD_CHANGE,
    AccountLookup,
    AccountUpdate,
    AddressName,
    DirectoryChanged,
    PasswordChange,
)
from barid_mss.handlers.members import CHANGED, GONE, Members
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.typed import announce, call

from .house import PASSWORD, House, Raw, open_house

BOB = "bob@here.test"
OTHER = "another secret"


async def pop3(house: House) -> Raw:
    raw = await house.raw("pop3")
    for line in (f"USER {BOB}", f"PASS {PASSWORD}"):
        raw.send(f"{line}\r\n".encode())
        assert (await raw.line()).startswith(b"+OK")
    return raw


@pytest.fixture
def lost_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the directory tells reaches nobody."""

    async def lost(*arguments: object) -> None:
        return

    monkeypatch.setattr(barid_directory.handlers.accounts, "announce", lost)


async def tell(house: House, **change: object) -> None:
    await announce(house.bus, DIRECTORY_CHANGED, DirectoryChanged.model_validate(change))


async def test_a_new_password_ends_all_sessions_of_the_old_one(house: House) -> None:
    idle, resting, drop, other = await house.imap(mailbox="INBOX"), await house.imap(), await pop3(house), None
    other = await house.imap("eve")
    await idle.idle()
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, password=OTHER))
    assert await idle.line() == b"* BYE The password was changed; log in again"
    assert await resting.line() == b"* BYE The password was changed; log in again"
    assert await drop.line() == b"-ERR [SYS/TEMP] The password was changed; log in again"
    assert await idle.line() == await resting.line() == await drop.line() == b""
    await other.ok("NOOP")
    again = await house.raw()
    assert (await again.no(f'LOGIN {BOB} "{PASSWORD}"')).startswith(b"NO [AUTHENTICATIONFAILED]")
    await again.ok(f'LOGIN {BOB} "{OTHER}"')
    await again.ok("NOOP")


async def test_a_user_who_changes_the_password_ends_the_sessions_of_whoever_knew_it(house: House) -> None:
    thief = await house.imap()
    await call(house.bus, PASSWORD_CHANGE, PasswordChange(login=BOB, password=PASSWORD, new_password=OTHER))
    assert await thief.line() == b"* BYE The password was changed; log in again"


async def test_a_quota_is_no_reason_to_go(house: House) -> None:
    client = await house.imap()
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, quota=1_000_000))
    await client.ok("NOOP")


async def test_a_deleted_account_ends_its_sessions(house: House) -> None:
    client, drop = await house.imap(), await pop3(house)
    await call(house.bus, ACCOUNT_DELETE, AddressName(address=BOB))
    assert await client.line() == b"* BYE The account is not available any more"
    assert await drop.line() == b"-ERR [SYS/TEMP] The account is not available any more"


@pytest.mark.usefixtures("lost_news")
@pytest.mark.parametrize(
    ("change", "farewell"),
    [({"enabled": False}, GONE), ({"password": OTHER}, CHANGED)],
)
async def test_lost_news_are_made_good_when_the_directory_starts(
    house: House, change: dict[str, object], farewell: str
) -> None:
    client = await house.imap()
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate.model_validate({"address": BOB, **change}))
    await client.ok("NOOP")
    await tell(house, everything=True)
    assert await client.line() == f"* BYE {farewell}".encode()


@pytest.mark.usefixtures("lost_news")
async def test_lost_news_of_a_deletion_are_made_good_by_the_look_from_time_to_time(house: House) -> None:
    client, other = await house.imap(), await house.imap("eve")
    await call(house.bus, ACCOUNT_DELETE, AddressName(address=BOB))
    assert house.server is not None
    assert house.server._members is not None
    house.server._members.doubt_all()
    assert await client.line() == f"* BYE {GONE}".encode()
    await other.ok("NOOP")


@pytest.mark.usefixtures("lost_news")
async def test_while_the_directory_is_away_sessions_stay_and_it_is_asked_again(house: House) -> None:
    client = await house.imap()
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, password=OTHER))
    assert house.directory is not None
    assert house.server is not None
    assert house.server._members is not None
    await house.directory.drain()
    house.server._members.doubt_all()
    await asyncio.sleep(0.2)
    await client.ok("NOOP")
    await house.directory.start()
    assert await client.line() == f"* BYE {CHANGED}".encode()


async def test_news_that_come_late_end_no_session_of_the_newer_password(house: House) -> None:
    account = house.accounts["bob"]
    before = await call(house.bus, ACCOUNT_GET, AccountLookup(id=account))
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, password=OTHER))
    client = await house.raw()
    await client.ok(f'LOGIN {BOB} "{OTHER}"')
    await tell(house, account=account, record=before.model_dump())
    await tell(house, account=account, record=before.model_copy(update={"enabled": False}).model_dump())
    await asyncio.sleep(0.1)
    await client.ok("NOOP")


class _Session:
    def __init__(self) -> None:
        self.expelled: list[str] = []

    def expel(self, text: str) -> None:
        self.expelled.append(text)


async def test_a_log_in_that_crosses_the_change_of_its_password_is_found_out(house: House) -> None:
    members, session = Members(house.bus), _Session()
    changes = members.changes
    account = await call(house.bus, ACCOUNT_GET, AccountLookup(id=house.accounts["bob"]))
    # The directory has said yes; before we hear it, the password changes, and that we hear first.
    await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, password=OTHER))
    await members.on_change(DirectoryChanged(account=account.id, record=account))
    members.add(session, account.id, account.credential, changes)
    async with asyncio.timeout(5):
        while not session.expelled:
            await asyncio.sleep(0.01)
    assert session.expelled == [CHANGED]
    members.remove(session, account.id)
    await members.close()


SECRET = "for tests"


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    nats = EmbeddedNats(tmp_path / "nats", users=dict.fromkeys(("directory", "mailstore", "mss", "barid"), SECRET))
    await nats.start()
    yield nats
    await nats.stop()


@pytest.mark.usefixtures("lost_news")
async def test_lost_news_are_made_good_when_the_bus_is_back(tmp_path: Path, nats: EmbeddedNats) -> None:
    bus = await connect(nats.url, user="barid", password=SECRET, name="test")
    async with open_house(tmp_path / "data", nats.url, bus, secret=SECRET) as house:
        client, other = await house.imap(mailbox="INBOX"), await house.imap("eve")
        await client.idle()
        await call(house.bus, ACCOUNT_UPDATE, AccountUpdate(address=BOB, password=OTHER))
        await nats.kill()
        await nats.start()
        assert await client.line(within=15) == f"* BYE {CHANGED}".encode()
        await other.ok("NOOP")
    await bus.close()
