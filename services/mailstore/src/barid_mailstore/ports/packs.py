"""The journal's packs as the reconciler sees them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from barid_contracts.mail import Accepted


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack that isn't closed. sealed: it never changes again. complete: sealed, and the bus was told of all of it
    that is owed to somebody."""

    name: str
    sealed: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One mail of a pack. local, remote: the numbers of its obligations."""

    mail_id: str
    offset: int
    local: tuple[int, ...]
    remote: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record that can't be read, and its obligations that have no outcome."""

    mail_id: str
    offset: int
    numbers: tuple[int, ...]


class Packs(Protocol):
    """All takes as long as the disk does, off the loop. Raises JournalError."""

    async def states(self) -> list[PackState]:
        """Packs that aren't closed."""

    async def entries(self, pack: str) -> list[PackEntry]:
        """Mails that the bus was told of, of a pack of the last `states`."""

    async def load(self, pack: str, entries: Sequence[PackEntry]) -> list[Accepted]:
        """These mails, with their references. Damaged ones are left out."""

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        """The mail whose record stands there, of any pack; None if it still can't be read."""

    async def find(self, mail_id: str) -> Accepted | None:
        """The mail, with its reference, if it stands in a pack that isn't closed. Bounded work."""

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        """Those with this Message-ID in packs that aren't closed: the latest, as far as bounded work goes."""

    async def named(self, before: float) -> set[str]:
        """Mails accepted before a time (epoch seconds) that a pack names which isn't closed: ids."""

    async def close(self, pack: str) -> None:
        """Mark it: all that was owed has its outcome or stands in a queue."""

    async def collect(self, referenced: Callable[[Sequence[str]], Awaitable[set[str]]], grace: float) -> list[str]:
        """Delete closed packs and large bodies that `referenced` doesn't keep and that didn't change within `grace`
        seconds; returns their names. Raises what `referenced` raises; then nothing more is deleted."""
