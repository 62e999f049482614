"""What the directory needs: a store whose answers are consistent, and a way to hash passwords off the loop."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from barid_contracts.status import Findings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DomainRow:
    """name: A-labels, lower case. catch_all: an address, None refuses what nobody gets."""

    name: str
    catch_all: str | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """id: opaque. address: canonical. quota: bytes, 0 is without limit. password: the hash."""

    id: str
    address: str
    quota: int
    enabled: bool
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AliasRow:
    """targets: as they were given, domains canonical."""

    address: str
    targets: tuple[str, ...]


class Book(Protocol):
    """The directory as of one moment. Addresses asked for must be canonical."""

    def domain(self, name: str) -> DomainRow | None: ...

    def domains(self) -> list[DomainRow]:
        """All, by name."""

    def account(self, address: str) -> AccountRow | None: ...

    def account_by_id(self, account: str) -> AccountRow | None: ...

    def first_account(self, domain: str | None) -> AccountRow | None:
        """The oldest account, of one domain or of all."""

    def accounts(self, after: str, limit: int, domain: str | None) -> list[AccountRow]:
        """In the order of their addresses, from the first after `after`."""

    def alias(self, address: str) -> AliasRow | None: ...

    def aliases(self, after: str, limit: int, domain: str | None) -> list[AliasRow]: ...

    def aliases_to(self, address: str, limit: int) -> list[str]:
        """Aliases that name the address, or it with a detail, as a target. `address` is without one."""


class Register(Book, Protocol):
    """The directory within one change: all or nothing."""

    def put_domain(self, domain: DomainRow) -> None: ...

    def delete_domain(self, name: str) -> bool:
        """False when there was none."""

    def domain_in_use(self, name: str) -> bool:
        """It has accounts or aliases."""

    def insert_account(self, account: AccountRow, created: int) -> None:
        """created: epoch seconds."""

    def update_account(self, account: AccountRow) -> None: ...

    def replace_hash(self, account: str, old: str, new: str) -> bool:
        """False when the hash is not `old` any more."""

    def delete_account(self, account: str) -> None: ...

    def put_alias(self, alias: AliasRow) -> None: ...

    def delete_alias(self, address: str) -> bool: ...


class Store(Protocol):
    """Raises `barid_runtime.database.port.DatabaseError` when it can't do it now."""

    async def consult(self, question: Callable[[Book], T]) -> T:
        """Ask on one snapshot. `question` must not await."""

    async def look(self, question: Callable[[Book], T]) -> T:
        """As `consult`, in what is durable and not in what is held in memory: for who manages, and may have changed
        something at another replica a moment ago."""

    async def change(self, work: Callable[[Register], T]) -> T:
        """Change in one transaction; returns when it is durable. What `work` raises undoes it; it may be run again."""

    async def inspect(self) -> Findings:
        """How the database is, for the roll call. Raises nothing."""

    async def forget(self) -> None:
        """Another replica changed something: what is held in memory is old."""

    async def close(self) -> None: ...


class HashingBusy(Exception):
    """More passwords wait to be hashed than can be within anybody's patience."""


class PasswordHasher(Protocol):
    """Slow on purpose, so off the loop, a bounded number at once. Raises HashingBusy."""

    @property
    def dummy(self) -> str:
        """A hash that no password has, with today's parameters: what unknown users are checked against."""

    async def hash(self, password: bytes) -> str: ...

    async def verify(self, hashed: str, password: bytes) -> bool:
        """False also for a hash that can't be read."""

    def outdated(self, hashed: str) -> bool:
        """It was made with other parameters than today's."""
