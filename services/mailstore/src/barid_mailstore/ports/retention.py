"""What the index forgets after its time."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

Mark = tuple[Any, ...]
"""Where a slice ended; `()` is the beginning. Only whoever made it looks inside."""


@dataclass(frozen=True, slots=True)
class Slice:
    """next: where the slice behind this one begins; None: there is none."""

    deleted: int
    next: Mark | None


class Retention(Protocol):
    """Times are epoch seconds. Each call looks at some rows behind the mark and holds the writer for a few ms."""

    async def vacations(self, mark: Mark, now: float) -> Slice:
        """Memory of answers that ran out by now."""

    async def children(self, mark: Mark, before: float) -> Slice:
        """Children given up."""

    async def tombstones(self, mark: Mark, before: float) -> Slice:
        """Of expunged messages. What was forgotten is told with the next view (`ViewReply.forgotten`)."""

    async def copies(self, mark: Mark, before: float) -> Slice:
        """What became of COPYs that were asked for before the time."""

    async def on_their_way(self) -> set[str]:
        """Mails whose keys may be asked for again though no pack says so."""

    async def ledger(self, mark: Mark, before: float, kept: Collection[str]) -> Slice:
        """Outcomes of mails accepted before the time, but for those of `kept` (ids)."""
