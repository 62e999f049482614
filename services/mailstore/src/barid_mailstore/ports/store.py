"""The index as handlers see it, one protocol a concern.

Every method that returns a Commit is one transaction: durable when it returns, undone as a whole when it raises. All
raise `Refused` for what can't be done, and `DatabaseError` for what can't be done now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barid_contracts.mail import Accepted, Key
from barid_contracts.queue import HeldPage
from barid_contracts.settle import ActiveScriptReply, ScriptInfo, SettleRequest
from barid_contracts.store import (
    AppendItem,
    AppendReply,
    CopyReply,
    ExpungeReply,
    FindReply,
    FindRequest,
    MailboxInfo,
    MailboxList,
    QuotaReply,
    Replaced,
    StoreReply,
    ViewReply,
    ViewRequest,
)
from barid_contracts.trace import TraceStep

from .commits import Commit
from .packs import Damaged
from .retention import Retention

Mode = Literal["set", "add", "remove"]


class Settling(Protocol):
    async def settle(self, request: SettleRequest) -> Commit[list[str]]:
        """The status of each settlement, in order: `done`, `repeated` or `stale`. All or none of them."""


class Mailboxes(Protocol):
    """Accounts are made, with their usual mailboxes, at the first change that names them."""

    async def list_all(self, account: str) -> MailboxList | None:
        """In the order of names. None: the account was never touched."""

    async def status(self, account: str, name: str) -> MailboxInfo | None:
        """None: there is none that can be selected, or the account was never touched."""

    async def touch(self, account: str) -> Commit[None]: ...

    async def create(self, account: str, name: str, special_use: str) -> Commit[MailboxInfo]: ...

    async def delete(self, account: str, name: str) -> Commit[None]: ...

    async def rename(self, account: str, name: str, to: str) -> Commit[None]: ...

    async def subscribe(self, account: str, name: str, *, subscribed: bool) -> Commit[None]: ...


class Messages(Protocol):
    """Mailboxes by id; those of another account are not found. uids None: all."""

    async def store(
        self,
        account: str,
        mailbox_id: int,
        uids: list[int] | None,
        mode: Mode,
        flags: list[str],
        unchanged_since: int | None,
    ) -> Commit[StoreReply]: ...

    async def expunge(
        self, account: str, mailbox_id: int, uids: list[int] | None, *, only_deleted: bool
    ) -> Commit[ExpungeReply]: ...

    async def append(
        self, account: str, name: str, mail: Accepted, flags: list[str], date: int, *, not_after: int = 0
    ) -> Commit[AppendReply]:
        """Done once for the mail's id: then it answers what was done. Not begun from `not_after` (epoch ms; 0: never
        late) on: TooLate."""

    async def append_all(
        self, account: str, name: str, items: list[AppendItem], replaces: Replaced | None, *, not_after: int = 0
    ) -> Commit[AppendReply]:
        """Several, and one that goes for them; as `append`, with the first mail's id. The reply is the first's."""


class Copying(Protocol):
    async def copy(
        self,
        account: str,
        mailbox_id: int,
        uids: list[int],
        name: str,
        *,
        move: bool,
        key: str = "",
        not_after: int = 0,
    ) -> Commit[CopyReply]:
        """key: done once for it, as APPEND for the mail's id; empty: as often as asked. not_after: as of APPEND."""


class Views(Protocol):
    """Each answer is one snapshot."""

    async def view(self, request: ViewRequest) -> ViewReply: ...

    async def summaries(self, account: str, mailbox: int, uids: list[int], fields: list[str]) -> bytes:
        """SummariesReply as JSON."""

    async def find(self, request: FindRequest) -> FindReply: ...


class Ledger(Protocol):
    async def missing(self, keys: list[Key]) -> list[Key]:
        """Those without an outcome."""

    async def count_attempts(self, keys: list[Key], error: str) -> Commit[list[int]]: ...

    async def trace(self, mail_id: str) -> list[TraceStep]: ...

    async def mails_called(self, message_id: str, now: float) -> list[str]: ...


class HeldMails(Protocol):
    async def count(self) -> int:
        """Those that wait for a decision."""

    async def page(self, after: str | None, limit: int) -> HeldPage: ...

    async def release(self, keys: list[Key]) -> Commit[list[Accepted]]:
        """They are owed again; the mails to publish."""

    async def discard(self, keys: list[Key]) -> Commit[int]: ...

    async def hold_damaged(self, pack: str, records: Sequence[Damaged]) -> Commit[int]:
        """Obligations that can't be read, and have no outcome; returns how many that were."""

    async def damaged(self, keys: Sequence[Key]) -> list[tuple[Key, str, int]]:
        """Those of the keys that are held as damaged: with pack, and offset of the record."""

    async def mend(self, key: Key, mail: Accepted) -> Commit[None]:
        """The record can be read again."""

    async def hand_over(self, key: Key) -> Commit[None]:
        """The relay has it: it is held here no more."""

    async def released_before(self, at: float, limit: int) -> list[Accepted]:
        """Released before `at` (epoch seconds), and without a new outcome."""


class Scripts(Protocol):
    async def active(self, account: str) -> ActiveScriptReply: ...

    async def list_all(self, account: str) -> list[ScriptInfo]: ...

    async def put(self, account: str, name: str, text: str, *, activate: bool) -> Commit[None]: ...

    async def activate(self, account: str, name: str) -> Commit[None]: ...

    async def delete(self, account: str, name: str) -> Commit[None]: ...


class Quotas(Protocol):
    async def usage(self, account: str) -> QuotaReply: ...

    async def over(self) -> list[str]: ...

    async def set_limit(self, account: str, limit: int) -> Commit[None]:
        """The directory knows the account, and this is its limit."""


class Accounts(Protocol):
    async def page(self, after: str, limit: int) -> list[str]:
        """Ids of all accounts, in their order."""

    async def set_gone(self, account: str) -> Commit[bool]:
        """The directory doesn't know it any more. False: that is known, or it was never touched."""

    async def gone_before(self, at: float) -> list[str]:
        """Some of the accounts that are gone since before `at` (epoch seconds), longest first."""

    async def remove(self, account: str) -> Commit[bool]:
        """Delete all that a gone account has. False: it isn't gone."""


class Bodies(Protocol):
    async def sweep(self) -> bool:
        """Forget some of the bodies without a message. True: there are more."""

    async def referenced(self, packs: list[str]) -> list[str]:
        """Those of the named packs and objects that something still needs."""

    async def forget(self, pack: str) -> None:
        """The pack was deleted."""

    async def closing(self, pack: str) -> None:
        """All that the pack owes has its outcome: durable before its marker is."""

    async def is_closed(self, pack: str) -> bool: ...


class Duties(Protocol):
    """What one of several replicas does for all. It saves work, no more: all of it is harmless if two do it."""

    @property
    def holder(self) -> str:
        """Our name among those who take them, of this incarnation alone."""

    async def mine(self, name: str, seconds: float) -> bool:
        """Take it or keep it, for so long; False: another has it."""

    async def give_up(self) -> None:
        """All that is ours: another need not wait for its end."""


@dataclass(frozen=True, slots=True)
class Store:
    settling: Settling
    mailboxes: Mailboxes
    messages: Messages
    copying: Copying
    views: Views
    ledger: Ledger
    held: HeldMails
    scripts: Scripts
    quotas: Quotas
    bodies: Bodies
    accounts: Accounts
    retention: Retention
    duties: Duties
