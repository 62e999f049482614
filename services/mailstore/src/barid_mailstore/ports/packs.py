"""The journal's packs as the reconciler sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barid_contracts.mail import Accepted


@dataclass(frozen=True, slots=True)
class PackState:
    """state: `open` is being written or was left by a crash; `sealed` is complete; `closed` owes nothing.
    changed: epoch seconds of its last change. objects: names of the large bodies that belong to it."""

    name: str
    state: Literal["open", "sealed", "closed"]
    changed: float


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One mail of a pack. local, remote: the numbers of its obligations. object: the name of its large body."""

    mail_id: str
    local: tuple[int, ...]
    remote: tuple[int, ...]
    object: str | None = None


class Packs(Protocol):
    """All block for as long as the disk does, off the loop. Raise JournalError."""

    async def states(self) -> list[PackState]: ...

    async def entries(self, pack: str) -> Sequence[PackEntry]: ...

    async def load(self, pack: str, mail_ids: Sequence[str]) -> list[Accepted]:
        """These mails, with their references."""

    async def close(self, pack: str) -> None:
        """Mark it: it owes nothing."""

    async def delete(self, pack: str) -> None:
        """The pack; large bodies of its own are deleted with it."""
