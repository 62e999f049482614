"""The store in tables, in statements that SQLite and PostgreSQL both take.

Readers hold all domains in memory, and the addresses that were asked for lately. What is held is dropped once a change
of ours is durable, and, in the cluster, when another replica tells of one: an answer may be as old as that news takes,
which is what everybody else who holds answers of the directory lives with. It pays: an address looked up in SQLite
costs 8 µs, one with a detail four of those; in PostgreSQL each is a round trip.
"""

from collections.abc import Callable
from typing import TypeVar

from barid_contracts.status import Findings
from barid_runtime.database.door import Place, open_at
from barid_runtime.database.port import Cursor, Database
from barid_runtime.inspection import inspected

from ..policy.addresses import canonical, without_detail
from ..ports import AccountRow, AliasRow, Book, DomainRow, Register
from .failures import FailureTable

T = TypeVar("T")

MAX_HELD = 20_000
"""Addresses of each kind held in memory, about 500 bytes each."""

_ACCOUNT = "SELECT id, address, quota, enabled, password FROM account"


def _account(row: tuple[str, str, int, int, str] | None) -> AccountRow | None:
    return None if row is None else AccountRow(row[0], row[1], row[2], bool(row[3]), row[4])


def _load_domains(cursor: Cursor) -> dict[str, DomainRow]:
    return {row[0]: DomainRow(*row) for row in cursor.all("SELECT name, catch_all FROM domain ORDER BY name")}


class _Held:
    """What readers hold in memory. An address that leads nowhere is held as None.

    It is replaced, never emptied: a reader that began before a change fills the one that nobody asks any more.
    """

    __slots__ = ("accounts", "aliases", "domains")

    def __init__(self, domains: dict[str, DomainRow]) -> None:
        self.domains = domains
        self.accounts: dict[str, AccountRow | None] = {}
        self.aliases: dict[str, AliasRow | None] = {}


class TableBook:
    """Implements ports.Book on one snapshot."""

    __slots__ = ("_cursor", "_domains")

    def __init__(self, cursor: Cursor, domains: dict[str, DomainRow]) -> None:
        self._cursor = cursor
        self._domains = domains

    def domain(self, name: str) -> DomainRow | None:
        return self._domains.get(name)

    def domains(self) -> list[DomainRow]:
        return list(self._domains.values())

    def account(self, address: str) -> AccountRow | None:
        return _account(self._cursor.one(f"{_ACCOUNT} WHERE address = ?", (address,)))

    def account_by_id(self, account: str) -> AccountRow | None:
        return _account(self._cursor.one(f"{_ACCOUNT} WHERE id = ?", (account,)))

    def first_account(self, domain: str | None) -> AccountRow | None:
        if domain is None:
            return _account(self._cursor.one(f"{_ACCOUNT} ORDER BY seq LIMIT 1"))
        return _account(self._cursor.one(f"{_ACCOUNT} WHERE domain = ? ORDER BY seq LIMIT 1", (domain,)))

    def accounts(self, after: str, limit: int, domain: str | None) -> list[AccountRow]:
        if domain is None:
            rows = self._cursor.all(f"{_ACCOUNT} WHERE address > ? ORDER BY address LIMIT ?", (after, limit))
        else:
            rows = self._cursor.all(
                f"{_ACCOUNT} WHERE domain = ? AND address > ? ORDER BY address LIMIT ?", (domain, after, limit)
            )
        return [AccountRow(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]

    def alias(self, address: str) -> AliasRow | None:
        rows = self._cursor.all("SELECT target FROM alias_target WHERE alias = ? ORDER BY position", (address,))
        return AliasRow(address, tuple([row[0] for row in rows])) if rows else None

    def aliases(self, after: str, limit: int, domain: str | None) -> list[AliasRow]:
        if domain is None:
            rows = self._cursor.all(
                "SELECT address FROM alias WHERE address > ? ORDER BY address LIMIT ?", (after, limit)
            )
        else:
            rows = self._cursor.all(
                "SELECT address FROM alias WHERE domain = ? AND address > ? ORDER BY address LIMIT ?",
                (domain, after, limit),
            )
        found = [self.alias(row[0]) for row in rows]
        return [alias for alias in found if alias is not None]

    def aliases_to(self, address: str, limit: int) -> list[str]:
        rows = self._cursor.all("SELECT DISTINCT alias FROM alias_target WHERE leads_to = ? LIMIT ?", (address, limit))
        return [row[0] for row in rows]


class HeldBook(TableBook):
    """The same, asking memory first."""

    __slots__ = ("_held",)

    def __init__(self, cursor: Cursor, held: _Held) -> None:
        super().__init__(cursor, held.domains)
        self._held = held

    def account(self, address: str) -> AccountRow | None:
        held = self._held.accounts
        try:
            return held[address]
        except KeyError:
            if len(held) >= MAX_HELD:
                held.clear()
            row = held[address] = super().account(address)
            return row

    def alias(self, address: str) -> AliasRow | None:
        held = self._held.aliases
        try:
            return held[address]
        except KeyError:
            if len(held) >= MAX_HELD:
                held.clear()
            row = held[address] = super().alias(address)
            return row


class TableRegister(TableBook):
    """Implements ports.Register within a transaction. Domains are read afresh: a change may have come just before."""

    __slots__ = ("domains_changed",)

    def __init__(self, cursor: Cursor) -> None:
        super().__init__(cursor, _load_domains(cursor))
        self.domains_changed = False

    def put_domain(self, domain: DomainRow) -> None:
        self._cursor.execute(
            "INSERT INTO domain (name, catch_all) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET catch_all = excluded.catch_all",
            (domain.name, domain.catch_all),
        )
        self.domains_changed = True

    def delete_domain(self, name: str) -> bool:
        self._cursor.execute("DELETE FROM domain WHERE name = ?", (name,))
        self.domains_changed = True
        return self._cursor.changes() > 0

    def domain_in_use(self, name: str) -> bool:
        row = self._cursor.one(
            "SELECT EXISTS (SELECT 1 FROM account WHERE domain = ?) OR EXISTS (SELECT 1 FROM alias WHERE domain = ?)",
            (name, name),
        )
        return row is not None and bool(row[0])

    def insert_account(self, account: AccountRow, created: int) -> None:
        self._cursor.execute(
            "INSERT INTO account (id, address, domain, quota, enabled, password, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                account.id,
                account.address,
                account.address.rpartition("@")[2],
                account.quota,
                int(account.enabled),
                account.password,
                created,
            ),
        )

    def update_account(self, account: AccountRow) -> None:
        self._cursor.execute(
            "UPDATE account SET quota = ?, enabled = ?, password = ? WHERE id = ?",
            (account.quota, int(account.enabled), account.password, account.id),
        )

    def replace_hash(self, account: str, old: str, new: str) -> bool:
        self._cursor.execute("UPDATE account SET password = ? WHERE id = ? AND password = ?", (new, account, old))
        return self._cursor.changes() > 0

    def delete_account(self, account: str) -> None:
        self._cursor.execute("DELETE FROM account WHERE id = ?", (account,))

    def put_alias(self, alias: AliasRow) -> None:
        self.delete_alias(alias.address)
        self._cursor.execute(
            "INSERT INTO alias (address, domain) VALUES (?, ?)", (alias.address, alias.address.rpartition("@")[2])
        )
        self._cursor.executemany(
            "INSERT INTO alias_target (alias, position, target, leads_to) VALUES (?, ?, ?, ?)",
            [
                (alias.address, n, target, without_detail(canonical(target) or target))
                for n, target in enumerate(alias.targets)
            ],
        )

    def delete_alias(self, address: str) -> bool:
        self._cursor.execute("DELETE FROM alias_target WHERE alias = ?", (address,))
        self._cursor.execute("DELETE FROM alias WHERE address = ?", (address,))
        return self._cursor.changes() > 0


class TableStore:
    """Implements ports.Store. Made by `open_store`."""

    def __init__(self, database: Database, place: str) -> None:
        self._database = database
        self._place = place
        self._held = _Held({})
        self.failures = FailureTable(database)

    async def inspect(self) -> Findings:
        return await inspected(database=self._database, place=self._place)

    async def forget(self) -> None:
        # Dropped first: whatever is read from now on is as new as the change.
        self._held = _Held(self._held.domains)
        self._held = _Held(await self._database.read(_load_domains))

    async def consult(self, question: Callable[[Book], T]) -> T:
        held = self._held
        return await self._database.read(lambda cursor: question(HeldBook(cursor, held)))

    async def look(self, question: Callable[[Book], T]) -> T:
        return await self._database.read(lambda cursor: question(TableBook(cursor, _load_domains(cursor))))

    async def change(self, work: Callable[[Register], T]) -> T:
        domains_changed = False

        def transact(cursor: Cursor) -> T:
            nonlocal domains_changed
            register = TableRegister(cursor)
            result = work(register)
            domains_changed = register.domains_changed
            return result

        result = await self._database.write(transact)
        if domains_changed:
            await self.forget()
        else:
            self._held = _Held(self._held.domains)
        return result

    async def close(self) -> None:
        await self._database.close()


async def open_store(place: Place) -> TableStore:
    """The store at this place, its schema brought up to date. Raises DatabaseError."""
    store = TableStore(await open_at(place, "barid_directory.adapters.migrations"), place.shown)
    await store.forget()
    return store
