"""Wrong passwords, counted by all directories together: two on one PostgreSQL, one on a file."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.base import Empty
from barid_contracts.directory import (
    ACCOUNT_CREATE,
    AUTHENTICATE,
    BAN_LIFT,
    BAN_LIST,
    DOMAIN_PUT,
    AccountCreate,
    AuthenticateReply,
    AuthenticateRequest,
    BanLift,
    Domain,
)
from barid_directory.adapters.argon2 import Argon2Hasher
from barid_directory.adapters.tables import TableStore, open_store
from barid_directory.handlers.service import DirectoryService
from barid_directory.policy.guessing import BAN_FIRST, BANS_REMEMBERED, WINDOW
from barid_directory.ports import Subject
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.database.door import Place
from barid_runtime.ids import new_id

GUESSER, NEIGHBOUR, ELSEWHERE = "192.0.2.66", "192.0.2.67", "198.51.100.7"
ANNA, BEN = "anna@a.test", "ben@a.test"
RIGHT = "open sesame"
MOST = 6


class Directories:
    def __init__(self, bus: Bus, clock: Any) -> None:
        self.bus = bus
        self.clock = clock
        self.services: list[DirectoryService] = []
        self.stores: list[TableStore] = []

    async def start(self, nats_url: str, place: Place) -> None:
        store = await open_store(place)

        async def opened() -> TableStore:
            return store

        service = DirectoryService(
            open_bus=lambda: connect(nats_url, name="directory"),
            open_store=opened,
            hasher=Argon2Hasher(threads=2, time_cost=1, memory_kib=8),
            clock=self.clock,
            new_id=new_id,
            postmaster="",
            max_failed_logins=MOST,
        )
        await service.start()
        self.services.append(service)
        self.stores.append(store)

    async def log_in(
        self, password: str, ip: str = GUESSER, login: str = ANNA, *, counted: bool = True
    ) -> AuthenticateReply:
        request = AuthenticateRequest(login=login, password=password, service="imap", ip=ip, counted=counted)
        return await call(self.bus, AUTHENTICATE, request)

    async def let_in(self, ip: str = GUESSER, login: str = ANNA) -> bool:
        return (await self.log_in(RIGHT, ip, login)).account is not None

    async def guess(self, times: int, ip: str = GUESSER, login: str = "") -> list[AuthenticateReply]:
        """Each time at another login, unless one is named."""
        logins = [login or f"guess{n}@a.test" for n in range(times)]
        return [await self.log_in("wrong", ip, each) for each in logins]

    async def bans(self) -> list[tuple[str, str | None, int]]:
        found = await call(self.bus, BAN_LIST, Empty())
        return [(ban.network, ban.login, round(ban.until_ms / 1000 - self.clock.now())) for ban in found.bans]


@contextlib.asynccontextmanager
async def running(nats_url: str, bus: Bus, place: Place, clock: Any) -> AsyncIterator[Directories]:
    made = Directories(bus, clock)
    for _ in range(2 if place.url else 1):
        await made.start(nats_url, place)
    await call(bus, DOMAIN_PUT, Domain(name="a.test"))
    for login in (ANNA, BEN):
        await call(bus, ACCOUNT_CREATE, AccountCreate(address=login, password=RIGHT))
    yield made
    for service in made.services:
        await service.drain()


@pytest_asyncio.fixture
async def everywhere(nats_url: str, bus: Bus, place: Place, manual_clock: Any) -> AsyncIterator[Directories]:
    async with running(nats_url, bus, place, manual_clock) as made:
        yield made


@pytest_asyncio.fixture
async def directories(nats_url: str, bus: Bus, tmp_path: Path, manual_clock: Any) -> AsyncIterator[Directories]:
    """On a file, which is made in milliseconds: what does not depend on the database."""
    async with running(nats_url, bus, Place(tmp_path / "directory.db"), manual_clock) as made:
        yield made


async def test_a_guesser_waits_at_every_replica_and_nobody_else_does(everywhere: Directories) -> None:
    replies = await everywhere.guess(MOST)
    assert [reply.wait_ms for reply in replies] == [0] * MOST
    assert [reply.delay_ms for reply in replies] == [500, 1000, 1500, 2000, 2500, 3000]
    for _ in range(8):  # whichever replica it comes to
        told = await everywhere.log_in(RIGHT)
        assert (told.account, told.network_waits) == (None, True), "the right password is not looked at either"
        assert BAN_FIRST * 1000 - 1 <= told.wait_ms <= BAN_FIRST * 1000 + 1
    assert await everywhere.bans() == [(GUESSER, None, BAN_FIRST)]
    assert await everywhere.let_in(NEIGHBOUR)
    assert await everywhere.let_in(GUESSER, BEN) is False

    await everywhere.clock.leap(BAN_FIRST)
    assert await everywhere.let_in()
    assert await everywhere.bans() == []


async def test_guesses_side_by_side_all_count(everywhere: Directories) -> None:
    """Twenty connections at once, to two replicas that change one row."""
    replies = await asyncio.gather(*(everywhere.log_in("wrong", login=f"guess{n}@a.test") for n in range(60)))
    looked_at = sum(reply.wait_ms == 0 for reply in replies)
    assert MOST <= looked_at < MOST + 8 * len(everywhere.services)
    tally = (await everywhere.stores[0].failures.look([Subject(GUESSER)]))[Subject(GUESSER)]
    counted = tally.score + tally.bans * MOST
    assert counted == looked_at


async def test_one_login_from_one_network_waits_before_all_of_the_network_does(directories: Directories) -> None:
    await directories.guess(MOST // 2, login=ANNA)
    told = await directories.log_in(RIGHT)
    assert (told.account, told.network_waits) == (None, False)
    assert told.wait_ms > 0
    assert await directories.bans() == [(GUESSER, ANNA, BAN_FIRST)]
    assert await directories.let_in(GUESSER, BEN), "her colleague at the next desk"
    assert await directories.let_in(ELSEWHERE, ANNA), "the owner, whom no stranger locks out"


async def test_who_finds_the_password_has_not_guessed_and_washes_off_only_that(directories: Directories) -> None:
    await directories.guess(2, login=ANNA)
    await directories.guess(3)
    assert await directories.let_in()
    # 2 of 5 are taken off: 3 are left, and 2 more are no ban yet.
    await directories.guess(2, login=BEN)
    assert await directories.bans() == []
    await directories.guess(1)
    assert await directories.bans() == [(GUESSER, None, BAN_FIRST)]


async def test_a_whole_range_is_one_guesser(directories: Directories) -> None:
    for host in range(6):
        await directories.guess(MOST - 1, ip=f"203.0.113.{host}")
    assert await directories.bans() == [("203.0.113.0/24", None, BAN_FIRST)]
    assert not await directories.let_in("203.0.113.200")
    await directories.guess(MOST, ip="2001:db8:1:2::3")
    assert not await directories.let_in("2001:db8:1:2:ffff::1")
    assert await directories.let_in("2001:db8:1:3::1")


async def test_gateways_are_not_counted(directories: Directories) -> None:
    for n in range(MOST * 6):
        reply = await directories.log_in(f"wrong {n}", counted=False)
        assert (reply.delay_ms, reply.wait_ms) == (0, 0)
    assert await directories.let_in()
    assert await directories.bans() == []


async def test_an_operator_lifts_a_ban(directories: Directories) -> None:
    await directories.guess(MOST)
    await directories.guess(MOST // 2, ip=ELSEWHERE, login=ANNA)
    await call(directories.bus, BAN_LIFT, BanLift(network=GUESSER))
    assert await directories.let_in()
    await call(directories.bus, BAN_LIFT, BanLift(network=ELSEWHERE, login="ANNA@a.test"))
    assert await directories.let_in(ELSEWHERE)
    assert await directories.bans() == []
    for lift in (BanLift(network="192.0.2.1"), BanLift(network="nonsense"), BanLift(network=GUESSER, login="nobody")):
        with pytest.raises(OperationFailed) as problem:
            await call(directories.bus, BAN_LIFT, lift)
        assert problem.value.code in ("not_found", "invalid")


async def test_what_is_worth_nothing_is_forgotten(directories: Directories) -> None:
    """What strangers make us write does not stay."""
    await directories.guess(2, ip=NEIGHBOUR)
    await directories.guess(MOST)
    failures = directories.stores[0].failures
    await directories.clock.leap(WINDOW + 1)
    assert await failures.forget(directories.clock.now()) == 0, "the service itself has forgotten them meanwhile"
    left = await failures.look([Subject(GUESSER), Subject(NEIGHBOUR)])
    assert list(left) == [Subject(GUESSER)], "a ban is remembered, so that the next one is longer"
    await directories.clock.leap(BANS_REMEMBERED + 600)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while await failures.look([Subject(GUESSER)]):
                await asyncio.sleep(0.01)
    assert not await failures.look([Subject(GUESSER)])
