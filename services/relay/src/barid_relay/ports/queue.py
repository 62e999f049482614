"""The queue of record and the ledger, as the relay sees them. All raise DatabaseError.

A recipient's row is *queued* (due, deferred or leased) or *held*; its outcome moves it to the ledger, in one
transaction. A lease is a number, `epoch`, that only grows: who settles with an older one changes nothing. A queue
may be worked on by one relay or, in a shared database, by many.
Times are epoch ms of the injected clock, leases aside, which are the database's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barid_contracts.mail import BodyRef, Key
from barid_contracts.queue import CapturedItem, CapturedPage, QueuePage
from barid_contracts.settle import Child
from barid_contracts.trace import TraceStep

from .hosts import Answer, Fate


@dataclass(frozen=True, slots=True)
class NewRecipient:
    """destination: where rows are gathered for a worker (`policy.routing`)."""

    n: int
    address: str
    original: str
    domain: str
    destination: str


@dataclass(frozen=True, slots=True)
class NewMail:
    """smtputf8: its header can't travel without. uncertain: it may have been sent before the tables were restored
    from a backup; its rows are held."""

    mail_id: str
    at: int
    ref: BodyRef
    reverse_path: str
    trace: str
    smtputf8: bool
    subject: str
    message_id: str
    parent: str | None
    recipients: Sequence[NewRecipient]
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Leased:
    """A recipient in our hands. crashes: attempts that ended in a fault of ours."""

    n: int
    address: str
    original: str
    attempts: int
    warned: bool
    crashes: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """Recipients of one mail that go to one destination. row: the mail's in the database."""

    row: int
    mail_id: str
    at: int
    ref: BodyRef
    reverse_path: str
    trace: str
    smtputf8: bool
    subject: str
    message_id: str
    recipients: tuple[Leased, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What to write down for one recipient. due: of the next attempt, if deferred. warn: tell the sender of the delay.
    crash: count it as a fault of ours. expired: given back for its age."""

    recipient: Leased
    fate: Fate
    answer: Answer
    due: int = 0
    warn: bool = False
    crash: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Notices:
    """What the sender is told."""

    failed: Child | None = None
    delayed: Child | None = None


Compose = Callable[[Sequence[Result]], Notices]
"""Makes the notices for the results that are about to be written. Pure, and quick: it runs in the transaction."""


@dataclass(frozen=True, slots=True)
class Settled:
    """results: those written (a lost lease writes nothing). captured: the items, when they were captured."""

    results: Sequence[Result]
    notices: Notices
    captured: Sequence[CapturedItem] = ()


STATES = ("due", "deferred", "leased", "held")


@dataclass(frozen=True, slots=True)
class Depth:
    """counts: recipients by state. overdue: ms that the first of those that are due has been so; 0 if none is."""

    counts: Mapping[str, int]
    overdue: int


class Queue(Protocol):
    async def recover(self, destination: Callable[[str], str]) -> int:
        """At start: leases of the process before us end, if nobody else can hold any; rows are gathered as the settings
        at hand say. Returns how many leases there were."""

    async def restored_at(self) -> int:
        """When the tables were restored from a backup, epoch ms; 0: never."""

    async def enqueue(self, mails: Sequence[NewMail]) -> int:
        """Rows for all that are neither queued nor in the ledger, in one transaction; returns how many."""

    async def lease(self, destination: str, now: int, limit: int, seconds: float) -> list[Parcel]:
        """Due recipients of the destination, oldest due first, ours for some seconds."""

    async def lease_keys(self, keys: Sequence[Key], seconds: float) -> list[Parcel]:
        """The named, due or not, held or not, unless somebody has them in hand."""

    async def renew(self, parcels: Sequence[Parcel], seconds: float) -> set[tuple[int, int]]:
        """Ours for some seconds more, unless another has them by now. The mail's row and n of those that are ours."""

    async def give_back(self, parcels: Sequence[Parcel]) -> None:
        """As they were before the lease."""

    async def settle(self, parcel: Parcel, results: Sequence[Result], now: int, compose: Compose) -> Settled:
        """Write the results whose lease is still ours, with their notices, in one transaction."""

    async def due(self, now: int) -> tuple[set[str], int | None]:
        """Destinations with rows due, and when the next row will be due after now."""

    async def depth(self, now: int) -> Depth:
        """Rows by state: due, deferred, leased, held."""

    async def missing(self, keys: Sequence[Key]) -> list[Key]:
        """Those neither queued nor in the ledger."""

    async def referenced(self, packs: Sequence[str]) -> list[str]:
        """Those whose bodies are still needed."""

    async def page(self, after: str | None, limit: int, domain: str | None, now: int) -> QueuePage: ...

    async def keys(self, after: int, limit: int) -> tuple[list[Key], int]:
        """All rows, in pages by the mail's row: the keys, and what to give as `after`, 0 at the end."""

    async def act(self, action: Literal["retry", "hold", "release"], keys: Sequence[Key] | None, now: int) -> int:
        """Returns how many rows changed."""

    async def captured(
        self, after: str | None, limit: int, address: str | None, subject: str | None
    ) -> CapturedPage: ...

    async def clear_captured(self) -> int: ...

    async def trace(self, mail_id: str | None, message_id: str | None, now: int) -> list[TraceStep]:
        """now: epoch ms."""
