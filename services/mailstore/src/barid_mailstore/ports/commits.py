"""What one commit changed.

Invariant: all that one commit changes in one mailbox has one new MODSEQ, the mailbox's former plus one (RFC 7162
§3.1 asks for an increase a command, not a message). So a reader that knows `previous` has missed nothing.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class MailboxDelta:
    """Rows as after the commit; all have `modseq`."""

    mailbox: int
    previous: int
    modseq: int
    added: list[int] = field(default_factory=list)
    added_flags: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    changed_flags: list[int] = field(default_factory=list)
    expunged: list[int] = field(default_factory=list)
    keywords: list[str] | None = None
    gone: bool = False


@dataclass(slots=True)
class AccountDelta:
    """names: the list of mailboxes itself changed."""

    account: str
    mailboxes: dict[int, MailboxDelta] = field(default_factory=dict)
    names: bool = False


@dataclass(slots=True)
class Commit(Generic[T]):
    """The result of a unit of work that is durable, and what to tell. over, under: accounts that crossed their quota.
    strangers: accounts whose quota isn't known yet. outbox: children wait there. doomed: bodies may have lost their
    last message."""

    result: T
    deltas: list[AccountDelta]
    over: list[str]
    under: list[str]
    strangers: list[str]
    outbox: bool = False
    doomed: bool = False
