"""What the relay remembers of mail that it is done with, as `Retention` sees it. All raise DatabaseError.

A mail is *finished* when it has no recipient in the queue and none captured. What is left of it is its ledger: the
answer to who asks whether it is still owed, and the operator's trace. Times are epoch ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Finished:
    """row: the mail's in the database. pack: where its body is, a pack or an object."""

    row: int
    pack: str


@dataclass(frozen=True, slots=True)
class CapturedLoad:
    """Copies, one for each recipient; their bytes; when the oldest was captured (None: there is none)."""

    copies: int
    size: int
    oldest: int | None


class Memory(Protocol):
    async def finished(self, after: int, before: int, limit: int) -> list[Finished]:
        """Finished mails with a row number above `after`, all of whose outcomes are from before that time."""

    async def forget(self, rows: Sequence[int]) -> int:
        """Those of the mails that are finished still: their ledger goes. Returns how many went."""

    async def captured_load(self) -> CapturedLoad: ...

    async def let_go(self, limit: int, before: int, most: int, most_size: int) -> int:
        """The oldest captured copies, at most `limit`: those from before that time, and those without which the rest is
        within its bounds. Their ledger says so. Returns how many went."""
