"""The directory's operations, asked over a real bus, kept in a real file and in a real PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.base import Empty
from barid_contracts.directory import (
    ACCOUNT_CREATE,
    ACCOUNT_DELETE,
    ACCOUNT_GET,
    ACCOUNT_LIST,
    ACCOUNT_UPDATE,
    ALIAS_DELETE,
    ALIAS_LIST,
    ALIAS_PUT,
    AUTHENTICATE,
    DIRECTORY_CHANGED,
    DOMAIN_DELETE,
    DOMAIN_LIST,
    DOMAIN_PUT,
    EXPLAIN,
    PASSWORD_CHANGE,
    RESOLVE,
    Account,
    AccountCreate,
    AccountLookup,
    AccountUpdate,
    AddressName,
    Alias,
    AuthenticateReply,
    AuthenticateRequest,
    DirectoryChanged,
    Domain,
    DomainName,
    ExplainRequest,
    PageRequest,
    PasswordChange,
    ResolveRequest,
)
from barid_directory.adapters.argon2 import Argon2Hasher
from barid_directory.adapters.tables import open_store
from barid_directory.handlers.bootstrap import bootstrap
from barid_directory.handlers.service import DirectoryService
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import call, listen
from barid_runtime.database.door import Place
from barid_runtime.database.port import DatabaseFull
from barid_runtime.ids import new_id

CHEAP = {"time_cost": 1, "memory_kib": 8}


class CountingHasher:
    """Real argon2 with small parameters; counts what an attacker could time."""

    def __init__(self, hasher: Argon2Hasher) -> None:
        self.hasher = hasher
        self.verified = 0
        self.hashed = 0

    @property
    def dummy(self) -> str:
        return self.hasher.dummy

    async def hash(self, password: bytes) -> str:
        self.hashed += 1
        return await self.hasher.hash(password)

    async def verify(self, hashed: str, password: bytes) -> bool:
        self.verified += 1
        return await self.hasher.verify(hashed, password)

    def outdated(self, hashed: str) -> bool:
        return self.hasher.outdated(hashed)


class Running:
    """A directory that can be stopped and started at the same place, and what it has told the world."""

    def __init__(self, nats_url: str, place: Place, clock: Any, bus: Bus) -> None:
        self.nats_url = nats_url
        self.place = place
        self.clock = clock
        self.bus = bus
        self.hasher = CountingHasher(Argon2Hasher(threads=2, **CHEAP))
        self.changes: list[DirectoryChanged] = []

    async def start(self) -> None:
        self.service = DirectoryService(
            open_bus=lambda: connect(self.nats_url, name="directory"),
            open_store=lambda: open_store(self.place),
            hasher=self.hasher,
            clock=self.clock,
            new_id=new_id,
            postmaster="",
        )
        await self.service.start()

    async def log_in(self, login: str, password: str) -> AuthenticateReply:
        return await call(
            self.bus, AUTHENTICATE, AuthenticateRequest(login=login, password=password, service="imap", ip="192.0.2.1")
        )

    async def create(self, address: str, password: str = "open sesame", quota: int = 0) -> Account:
        return await call(self.bus, ACCOUNT_CREATE, AccountCreate(address=address, password=password, quota=quota))

    async def resolve(self, *addresses: str) -> list[tuple[str, list[str]]]:
        reply = await call(self.bus, RESOLVE, ResolveRequest(addresses=list(addresses)))
        return [(r.status, [t.address for t in r.targets]) for r in reply.resolutions]

    async def heard(self) -> list[DirectoryChanged]:
        """What was announced since the last time; events and replies come in the order they were sent."""
        await call(self.bus, DOMAIN_LIST, Empty())
        changes, self.changes[:] = self.changes[:], []
        return changes


@pytest_asyncio.fixture
async def directory(nats_url: str, bus: Bus, place: Place, manual_clock: Any) -> AsyncIterator[Running]:
    running = Running(nats_url, place, manual_clock, bus)

    async def on_change(change: DirectoryChanged) -> None:
        running.changes.append(change)

    await listen(bus, DIRECTORY_CHANGED, on_change)
    await running.start()
    await call(bus, DOMAIN_PUT, Domain(name="a.test"))
    await running.heard()
    yield running
    await running.service.drain()


async def refused(code: str, operation: Any, request: Any, bus: Bus) -> str:
    with pytest.raises(OperationFailed) as problem:
        await call(bus, operation, request)
    assert problem.value.code == code
    return problem.value.text


async def test_an_account_logs_in(directory: Running) -> None:
    account = await directory.create("Alice@A.test")
    assert account.address == "alice@a.test"
    assert account.addresses == ["alice@a.test"]
    assert await directory.log_in("ALICE@a.test", "open sesame") == AuthenticateReply(
        account=account.id, login="alice@a.test", credential=account.credential
    )
    assert (await directory.log_in("alice@a.test", "Secret")).account is None


async def test_unknown_users_and_wrong_passwords_cost_one_hashing_and_say_the_same(directory: Running) -> None:
    await directory.create("alice@a.test")
    await directory.create("off@a.test")
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="off@a.test", enabled=False))
    replies = []
    for login, password in [
        ("alice@a.test", "wrong"),
        ("nobody@a.test", "wrong"),
        ("nobody@elsewhere.test", "open sesame"),
        ("not an address", "wrong"),
        ("off@a.test", "open sesame"),
        ("off@a.test", "wrong"),
        ("alice@a.test", ""),
        ("alice@a.test", "x" * 5000),
    ]:
        before = directory.hasher.verified
        replies.append(await directory.log_in(login, password))
        assert directory.hasher.verified == before + 1, login
    assert {reply.model_dump_json() for reply in replies} == {
        AuthenticateReply(reason="wrong login or password").model_dump_json()
    }


async def test_a_log_in_is_remembered_for_a_minute(directory: Running) -> None:
    await directory.create("alice@a.test")
    for _ in range(5):
        assert (await directory.log_in("alice@a.test", "open sesame")).account
    assert directory.hasher.verified == 1
    assert (await directory.log_in("alice@a.test", "wrong")).account is None
    assert directory.hasher.verified == 2
    await directory.clock.advance(61)
    assert (await directory.log_in("alice@a.test", "open sesame")).account
    assert directory.hasher.verified == 3


async def test_clients_that_log_in_at_once_share_one_hashing(directory: Running) -> None:
    await directory.create("alice@a.test")
    replies = await asyncio.gather(*(directory.log_in("alice@a.test", "open sesame") for _ in range(50)))
    assert all(reply.account for reply in replies)
    assert directory.hasher.verified < 10


async def test_unknown_logins_do_not_share_a_hashing(directory: Running) -> None:
    await asyncio.gather(*(directory.log_in(f"nobody{n}@a.test", "open sesame") for n in range(20)))
    assert directory.hasher.verified == 20


async def test_a_database_that_fails_is_unavailable_and_then_back(directory: Running) -> None:
    store = directory.service._store
    assert store is not None
    consult = store.consult

    async def full(question: Any) -> Any:
        raise DatabaseFull("no space left")

    store.consult = full  # type: ignore[method-assign]
    await refused("unavailable", RESOLVE, ResolveRequest(addresses=["x@a.test"]), directory.bus)
    assert directory.service.checks()["database"] != "ok"
    store.consult = consult  # type: ignore[method-assign]
    assert await directory.resolve("x@a.test") == [("unknown", [])]
    assert directory.service.checks()["database"] == "ok"


async def test_what_was_remembered_ends_with_the_password(directory: Running) -> None:
    await directory.create("alice@a.test")
    assert (await directory.log_in("alice@a.test", "open sesame")).account
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", password="other words"))
    assert (await directory.log_in("alice@a.test", "open sesame")).account is None
    assert (await directory.log_in("alice@a.test", "other words")).account
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", enabled=False))
    assert (await directory.log_in("alice@a.test", "other words")).account is None
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", enabled=True))
    assert (await directory.log_in("alice@a.test", "other words")).account


async def test_a_user_changes_the_password(directory: Running) -> None:
    await directory.create("alice@a.test")

    def change(old: str, new: str) -> PasswordChange:
        return PasswordChange(login="alice@a.test", password=old, new_password=new)

    bus = directory.bus
    await refused("forbidden", PASSWORD_CHANGE, change("wrong", "correct horse"), bus)
    assert "8 characters" in await refused("invalid", PASSWORD_CHANGE, change("open sesame", "short"), bus)
    await refused("invalid", PASSWORD_CHANGE, change("open sesame", "Alice@a.test"), bus)
    await refused("invalid", PASSWORD_CHANGE, change("open sesame", "with\0control"), bus)
    heard: list[DirectoryChanged] = []

    async def hear(change: DirectoryChanged) -> None:
        heard.append(change)

    await listen(bus, DIRECTORY_CHANGED, hear)
    before = (await directory.log_in("alice@a.test", "open sesame")).credential
    await call(bus, PASSWORD_CHANGE, change("open sesame", "correct horse"))
    after = (await directory.log_in("alice@a.test", "correct horse")).credential
    assert after != before
    assert [each.record.credential for each in heard if each.record is not None] == [after]
    assert (await directory.log_in("alice@a.test", "open sesame")).account is None
    assert (await directory.log_in("alice@a.test", "correct horse")).account


async def test_only_a_change_of_the_password_changes_the_credential(directory: Running) -> None:
    first = await directory.create("alice@a.test")
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", quota=5))
    assert (await call(directory.bus, ACCOUNT_GET, AccountLookup(id=first.id))).credential == first.credential
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", password="open sesame"))
    assert (await call(directory.bus, ACCOUNT_GET, AccountLookup(id=first.id))).credential != first.credential


async def test_composed_and_decomposed_passwords_are_one(directory: Running) -> None:
    await directory.create("alice@a.test", "pa\u00dfwo\u0308rter")
    assert (await directory.log_in("alice@a.test", "pa\u00dfw\u00f6rter")).account


async def test_old_parameters_are_replaced_at_the_next_log_in(directory: Running) -> None:
    await directory.create("alice@a.test")
    directory.hasher.hasher = Argon2Hasher(threads=1, time_cost=2, memory_kib=16)
    before = directory.hasher.hashed
    assert (await directory.log_in("alice@a.test", "open sesame")).account
    assert directory.hasher.hashed == before + 1
    await directory.clock.advance(61)
    assert (await directory.log_in("alice@a.test", "open sesame")).account
    assert directory.hasher.hashed == before + 1


async def test_too_many_hashings_at_once_are_unavailable(directory: Running) -> None:
    await directory.create("alice@a.test")
    directory.hasher.hasher = Argon2Hasher(threads=1, time_cost=1, memory_kib=65_536, max_waiting=2)

    async def attempt(n: int) -> str:
        try:
            return (await directory.log_in("alice@a.test", f"wrong {n}")).reason
        except OperationFailed as problem:
            return problem.code

    answers = await asyncio.gather(*(attempt(n) for n in range(40)))
    assert set(answers) == {"wrong login or password", "unavailable"}
    assert (await directory.log_in("alice@a.test", "open sesame")).account


async def test_a_hash_that_cannot_be_read_is_a_wrong_password() -> None:
    hasher = Argon2Hasher(threads=1, **CHEAP)
    assert not await hasher.verify("{PLAIN}secret", b"open sesame")
    assert not await hasher.verify("", b"")
    assert not hasher.outdated("garbage")
    assert not hasher.outdated(hasher.dummy)
    assert not await hasher.verify(hasher.dummy, b"open sesame")
    hasher.close()


async def test_resolve_and_explain(directory: Running) -> None:
    bus = directory.bus
    await directory.create("alice@a.test")
    await call(bus, ALIAS_PUT, Alias(address="Sales@a.test", targets=["Alice+sales@a.test", "Bob@Elsewhere.Test"]))
    assert await directory.resolve("alice+x@a.test", "sales@a.test", "nobody@a.test", "bob@b.test", "postmaster") == [
        ("local", ["alice@a.test"]),
        ("local", ["alice@a.test", "Bob@elsewhere.test"]),
        ("unknown", []),
        ("remote", ["bob@b.test"]),
        ("local", ["alice@a.test"]),
    ]
    told = await call(bus, EXPLAIN, ExplainRequest(address="sales@a.test"))
    assert told.steps[0] == "sales@a.test is an alias of Alice+sales@a.test, Bob@elsewhere.test"
    assert told.resolution.status == "local"


async def test_accounts_are_looked_up_with_their_own_addresses(directory: Running) -> None:
    bus = directory.bus
    alice = await directory.create("alice@a.test", quota=1000)
    await directory.create("bob@a.test")
    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test"]))
    await call(bus, ALIAS_PUT, Alias(address="staff@a.test", targets=["alice@a.test", "bob@a.test"]))
    by_id = await call(bus, ACCOUNT_GET, AccountLookup(id=alice.id))
    assert by_id == await call(bus, ACCOUNT_GET, AccountLookup(address="ALICE@a.test"))
    assert (by_id.quota, by_id.addresses) == (1000, ["alice@a.test", "sales@a.test"])
    await refused("not_found", ACCOUNT_GET, AccountLookup(id="nobody"), bus)
    await refused("not_found", ACCOUNT_GET, AccountLookup(address="nonsense"), bus)
    await refused("invalid", ACCOUNT_GET, AccountLookup(), bus)


async def test_pages(directory: Running) -> None:
    bus = directory.bus
    await call(bus, DOMAIN_PUT, Domain(name="b.test"))
    for n in range(5):
        await directory.create(f"u{n}@a.test")
        await call(bus, ALIAS_PUT, Alias(address=f"alias{n}@b.test", targets=["u0@a.test"]))
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await call(bus, ACCOUNT_LIST, PageRequest(after=after, limit=2))
        seen += [account.address for account in page.accounts]
        after = page.next
        if after is None:
            break
    assert seen == [f"u{n}@a.test" for n in range(5)]
    assert (await call(bus, ACCOUNT_LIST, PageRequest(domain="b.test"))).accounts == []
    aliases = await call(bus, ALIAS_LIST, PageRequest(domain="B.test", limit=3))
    assert [alias.address for alias in aliases.aliases] == [f"alias{n}@b.test" for n in range(3)]
    assert aliases.next == "alias2@b.test"
    assert (await call(bus, ALIAS_LIST, PageRequest(domain="a.test"))).aliases == []
    await refused("invalid", ACCOUNT_LIST, PageRequest(limit=0), bus)


async def test_what_is_refused(directory: Running) -> None:
    bus = directory.bus
    await directory.create("alice@a.test")
    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test"]))
    for code, operation, request in [
        ("conflict", ACCOUNT_CREATE, AccountCreate(address="ALICE@a.test", password="x")),
        ("conflict", ACCOUNT_CREATE, AccountCreate(address="sales@a.test", password="x")),
        ("not_found", ACCOUNT_CREATE, AccountCreate(address="alice@b.test", password="x")),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="alice", password="x")),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="")),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="x" * 7)),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="o\u0308" * 7)),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="BOB@a.test")),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="", imported=True)),
        ("invalid", ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", password="x" * 7)),
        ("invalid", ACCOUNT_CREATE, AccountCreate(address="bob@a.test", password="x" * 8, quota=-1)),
        ("not_found", ACCOUNT_UPDATE, AccountUpdate(address="bob@a.test", quota=1)),
        ("invalid", ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", quota=-1)),
        ("not_found", ACCOUNT_DELETE, AddressName(address="bob@a.test")),
        ("conflict", ALIAS_PUT, Alias(address="alice@a.test", targets=["bob@b.test"])),
        ("not_found", ALIAS_PUT, Alias(address="x@b.test", targets=["bob@b.test"])),
        ("invalid", ALIAS_PUT, Alias(address="x@a.test", targets=[])),
        ("invalid", ALIAS_PUT, Alias(address="x@a.test", targets=["bob"])),
        ("not_found", ALIAS_DELETE, AddressName(address="x@a.test")),
        ("conflict", DOMAIN_DELETE, DomainName(name="a.test")),
        ("not_found", DOMAIN_DELETE, DomainName(name="b.test")),
        ("invalid", DOMAIN_PUT, Domain(name="not a domain")),
        ("invalid", DOMAIN_PUT, Domain(name="b.test", catch_all="nonsense")),
        ("invalid", RESOLVE, ResolveRequest(addresses=["x@a.test"] * 1001)),
    ]:
        assert await refused(code, operation, request, bus), request


async def test_passwords_are_long_rather_than_odd(directory: Running) -> None:
    """NIST SP 800-63B §5.1.1.2: at least 8 characters, at least 64 allowed, spaces and all letters, no composition."""
    for n, password in enumerate(["aaaaaaab", "x" * 64, "x" * 1024, "ein Satz mit Leerzeichen", "日本語日本語日本"]):
        await directory.create(f"u{n}@a.test", password)
        assert (await directory.log_in(f"u{n}@a.test", password)).account
    short = AccountCreate(address="old@a.test", password="x", imported=True)
    assert (await call(directory.bus, ACCOUNT_CREATE, short)).address == "old@a.test"
    assert (await directory.log_in("old@a.test", "x")).account


async def test_an_account_that_something_names_is_not_deleted_unseen(directory: Running) -> None:
    bus = directory.bus
    for name in ("alice", "bob", "alice+own"):
        await directory.create(f"{name}@a.test")
    for address, *targets in [
        ("sales@a.test", "alice+sales@a.test", "bob@a.test"),
        ("only@a.test", "alice@a.test"),
        ("behind@a.test", "only@a.test"),
        ("other@a.test", "alice+own@a.test"),
    ]:
        await call(bus, ALIAS_PUT, Alias(address=address, targets=targets))
    await call(bus, DOMAIN_PUT, Domain(name="b.test", catch_all="alice@a.test"))
    await call(bus, DOMAIN_PUT, Domain(name="c.test", catch_all="bob@a.test"))
    said = await refused("conflict", ACCOUNT_DELETE, AddressName(address="alice@a.test"), bus)
    assert said == (
        "alice@a.test is still named by: alias only@a.test, alias sales@a.test, catch-all of b.test; "
        "change them first, or cascade"
    )
    assert await directory.resolve("only@a.test") == [("local", ["alice@a.test"])]

    await call(bus, ACCOUNT_DELETE, AddressName(address="alice@a.test", cascade=True))
    found = (await call(bus, ALIAS_LIST, PageRequest())).aliases
    assert {alias.address: alias.targets for alias in found} == {
        "sales@a.test": ["bob@a.test"],
        "other@a.test": ["alice+own@a.test"],
    }
    domains = (await call(bus, DOMAIN_LIST, Empty())).domains
    assert {domain.name: domain.catch_all for domain in domains} == {
        "a.test": None,
        "b.test": None,
        "c.test": "bob@a.test",
    }
    assert (await call(bus, ACCOUNT_GET, AccountLookup(address="bob@a.test"))).addresses == [
        "bob@a.test",
        "sales@a.test",
    ]
    assert await directory.resolve("alice@a.test", "only@a.test", "other@a.test", "x@b.test") == [
        ("unknown", []),
        ("unknown", []),
        ("local", ["alice+own@a.test"]),
        ("unknown", []),
    ]


async def test_an_alias_that_something_names_is_not_deleted_unseen(directory: Running) -> None:
    bus = directory.bus
    await directory.create("alice@a.test")
    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test", "sales@a.test"]))
    await call(bus, ALIAS_PUT, Alias(address="shop@a.test", targets=["sales@a.test"]))
    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test", "shop@a.test"]))
    said = await refused("conflict", ALIAS_DELETE, AddressName(address="sales@a.test"), bus)
    assert "alias shop@a.test" in said
    await call(bus, ALIAS_DELETE, AddressName(address="sales@a.test", cascade=True))
    assert (await call(bus, ALIAS_LIST, PageRequest())).aliases == []


async def test_many_names_are_told_in_short(directory: Running) -> None:
    await directory.create("alice@a.test")
    for n in range(13):
        await call(directory.bus, ALIAS_PUT, Alias(address=f"n{n:02}@a.test", targets=["alice@a.test"]))
    said = await refused("conflict", ACCOUNT_DELETE, AddressName(address="alice@a.test"), directory.bus)
    assert "n09@a.test and 3 more;" in said


async def test_domains(directory: Running) -> None:
    bus = directory.bus
    await directory.create("alice@a.test")
    await call(bus, DOMAIN_PUT, Domain(name="Bücher.example", catch_all="alice@a.test"))
    domains = (await call(bus, DOMAIN_LIST, Empty())).domains
    assert [(d.name, d.catch_all) for d in domains] == [("a.test", None), ("xn--bcher-kva.example", "alice@a.test")]
    assert await directory.resolve("whoever@bücher.example") == [("local", ["alice@a.test"])]
    await call(bus, DOMAIN_PUT, Domain(name="bücher.example"))
    assert await directory.resolve("whoever@bücher.example") == [("unknown", [])]
    await call(bus, DOMAIN_DELETE, DomainName(name="bücher.example"))
    assert await directory.resolve("whoever@bücher.example") == [("remote", ["whoever@bücher.example"])]


async def test_changes_are_announced(directory: Running) -> None:
    bus = directory.bus
    alice = await directory.create("alice@a.test")
    (change,) = await directory.heard()
    assert (change.account, change.record, change.addresses) == (alice.id, alice, ["alice@a.test"])

    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test"]))
    resolution, record = await directory.heard()
    assert resolution.addresses == ["sales@a.test"]
    assert record.record is not None
    assert record.record.addresses == ["alice@a.test", "sales@a.test"]

    await call(bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", quota=5))
    (change,) = await directory.heard()
    assert change.record is not None
    assert change.record.quota == 5

    await call(bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["bob@elsewhere.test"]))
    resolution, record = await directory.heard()
    assert record.record is not None
    assert record.record.addresses == ["alice@a.test"]

    await call(bus, ALIAS_PUT, Alias(address="shop@a.test", targets=["alice@a.test"]))
    await directory.heard()
    await call(bus, ACCOUNT_DELETE, AddressName(address="alice@a.test", cascade=True))
    change, rest = await directory.heard()
    assert (change.account, change.record, change.addresses) == (alice.id, None, ["alice@a.test", "shop@a.test"])
    assert rest.everything

    bob = await directory.create("bob@a.test")
    await directory.heard()
    await call(bus, ACCOUNT_DELETE, AddressName(address="bob@a.test"))
    (change,) = await directory.heard()
    assert (change.account, change.record, change.addresses) == (bob.id, None, ["bob@a.test"])

    await call(bus, DOMAIN_PUT, Domain(name="b.test"))
    (change,) = await directory.heard()
    assert change.everything


async def test_it_is_all_there_after_a_restart(directory: Running) -> None:
    alice = await directory.create("alice@a.test")
    await call(directory.bus, ALIAS_PUT, Alias(address="sales@a.test", targets=["alice@a.test"]))
    await directory.service.drain()
    assert directory.service.checks() == {"bus": "not connected", "database": "not open"}
    await directory.start()
    assert directory.service.checks() == {"bus": "ok", "database": "ok"}
    assert (await directory.log_in("alice@a.test", "open sesame")).account == alice.id
    assert await directory.resolve("sales@a.test") == [("local", ["alice@a.test"])]
    again = await directory.create("bob@a.test")
    assert again.id != alice.id


async def test_bootstrap_twice_changes_nothing(directory: Running) -> None:
    wanted = [("alice@a.test", "open sesame"), ("bob@new.test", "open sesame")]
    first = await bootstrap(directory.bus, wanted, ["empty.test"])
    assert [account.address for account in first] == ["alice@a.test", "bob@new.test"]
    await call(directory.bus, ACCOUNT_UPDATE, AccountUpdate(address="alice@a.test", password="other words"))
    assert [a.id for a in await bootstrap(directory.bus, wanted)] == [a.id for a in first]
    assert (await directory.log_in("alice@a.test", "other words")).account
    names = [d.name for d in (await call(directory.bus, DOMAIN_LIST, Empty())).domains]
    assert names == ["a.test", "empty.test", "new.test"]
    with pytest.raises(OperationFailed, match="'no login' is not an address"):
        await bootstrap(directory.bus, [("carol@a.test", "open sesame"), ("no login", "open sesame")])
    with pytest.raises(OperationFailed, match=r"'carol@a\.test': a password"):
        await bootstrap(directory.bus, [("carol@a.test", "")])


async def test_a_hundred_accounts_at_full_price_take_seconds(directory: Running) -> None:
    directory.hasher.hasher = Argon2Hasher(threads=2)
    begun = time.monotonic()
    accounts = await bootstrap(directory.bus, [(f"u{n}@a.test", f"secret {n}") for n in range(105)])
    assert len({account.id for account in accounts}) == 105
    # 2 s on two idle cores; the margin is for machines that do other things meanwhile.
    assert time.monotonic() - begun < 20


async def test_who_manages_sees_what_another_replica_changed_before_the_news_of_it_come(directory: Running) -> None:
    """An address that leads nowhere, and that a domain isn't ours, are held in memory until then."""
    store = directory.service._store
    assert store is not None
    deaf = await open_store(directory.place) if directory.place.url else store
    assert await deaf.look(lambda book: book.domain("late.test")) is None
    await call(directory.bus, DOMAIN_PUT, Domain(name="late.test"))
    await directory.create("alice@late.test")
    assert await deaf.look(lambda book: [each.name for each in book.domains()]) == ["a.test", "late.test"]
    found = await deaf.look(lambda book: book.account("alice@late.test"))
    assert found is not None
    if deaf is not store:
        assert await deaf.consult(lambda book: book.domain("late.test")) is None
        await deaf.close()


async def test_what_no_database_holds_is_invalid_and_does_no_harm(directory: Running) -> None:
    """NUL, which SQLite holds and PostgreSQL does not: neither is a fault of the directory."""
    try:
        page = await call(directory.bus, ACCOUNT_LIST, PageRequest(after="a\0b"))
    except OperationFailed as problem:
        assert (problem.code, problem.text) == ("invalid", "a text holds NUL")
    else:
        assert page.accounts == []
    assert directory.service.checks()["database"] == "ok"
