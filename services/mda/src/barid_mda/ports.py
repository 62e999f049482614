"""What delivery needs: who the accounts are, their scripts, and the mailstore. All raise BusError as the bus does."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from barid_contracts.directory import Account
from barid_contracts.mail import Key
from barid_contracts.settle import Settled
from barid_protocols.sieve import Program


class Unknown(Enum):
    """What memory does not hold; None says that there is no such account."""

    UNKNOWN = 0


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Script:
    """An account's active script. etag: "" for none. fault: why it doesn't compile; then there is no program."""

    etag: str = ""
    program: Program | None = None
    fault: str = ""


NO_SCRIPT = Script()


class Accounts(Protocol):
    def held(self, account: str) -> Account | Unknown | None:
        """From memory: costs nothing."""

    async def load(self, account: str) -> Account | None:
        """None when there is no such account (any more)."""


class Scripts(Protocol):
    def held(self, account: str) -> Script | Unknown: ...

    async def load(self, account: str) -> Script: ...

    def forget(self, account: str) -> None:
        """The mailstore knows a newer one."""


class Mailstore(Protocol):
    async def settle(self, request: bytes, traces: str) -> list[Settled]:
        """The text of a SettleRequest. traces: what it is caused by, or empty. Returns those that are stale; all others
        are done, now or before."""

    async def count_attempts(self, keys: Sequence[Key], error: str) -> list[int]:
        """Remember durably that these were attempted in vain; how often, each, this time included."""

    async def missing(self, keys: Sequence[Key]) -> set[tuple[str, int]]:
        """Those that have no recorded outcome."""

    async def mailbox_exists(self, account: str, mailbox: str) -> bool: ...
