"""What the directory needs: a store whose answers are consistent, and a way to hash passwords off the loop."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

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


ALL_LOGINS = ""


class Subject(NamedTuple):
    """Whose failures are counted. login: canonical; "" for all of the network."""

    network: str
    login: str = ALL_LOGINS


@dataclass(frozen=True, slots=True)
class Tally:
    """score: failures that have not leaked away at `at`. bans: so far, `until` when the last one lasts.

    Times are epoch seconds.
    """

    score: float = 0.0
    at: float = 0.0
    bans: int = 0
    until: float = 0.0


class Banned(NamedTuple):
    """bans: so far. until: epoch seconds."""

    subject: Subject
    bans: int
    until: float


class Failures(Protocol):
    """Failed log-ins, counted by all replicas together. Raises `barid_runtime.database.port.DatabaseError`."""

    async def look(self, subjects: Iterable[Subject]) -> dict[Subject, Tally]:
        """Those of which something is counted; perhaps others, too."""

    async def count(
        self, subjects: Iterable[Subject], judge: Callable[[Mapping[Subject, Tally]], Mapping[Subject, Tally]]
    ) -> dict[Subject, Tally]:
        """Change them in one transaction that no other count of theirs comes between; what they are then. `judge` may
        be run again."""

    async def banned(self, now: float, most: int) -> list[Banned]:
        """Those that wait, the longest first."""

    async def lift(self, subject: Subject) -> bool:
        """Forget it; of a network, its logins, too. False if nothing was counted."""

    async def forget(self, now: float) -> int:
        """Drop what is worth nothing any more; how many."""


class Store(Protocol):
    """Raises `barid_runtime.database.port.DatabaseError` when it can't do it now."""

    @property
    def failures(self) -> Failures: ...

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
