"""Accounts and mailboxes as they are kept in memory between units of work: what each delivery needs and changes."""

from dataclasses import dataclass


@dataclass(slots=True)
class MailboxRow:
    id: int
    account: int
    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    special_use: str
    selectable: bool
    keywords: list[str]


@dataclass(slots=True)
class AccountRow:
    """used: the sum of its mailboxes' sizes, which is why no statement keeps it. quota None: not known yet; 0: none.
    gone: the directory doesn't know it any more. uidvalidity: the greatest that a mailbox of it ever had. epoch: of the
    row that was read; it rises with every change of the account, so it says whether this is still the truth (replicas
    only, see `shared.py`)."""

    id: int
    uuid: str
    quota: int | None
    mailboxes: dict[str, MailboxRow]
    by_id: dict[int, MailboxRow]
    etag: str
    used: int
    over: bool
    gone: bool
    uidvalidity: int
    epoch: int = 0

    def add(self, mailbox: MailboxRow) -> None:
        self.mailboxes[mailbox.name] = mailbox
        self.by_id[mailbox.id] = mailbox

    def drop(self, mailbox: MailboxRow) -> None:
        del self.mailboxes[mailbox.name]
        del self.by_id[mailbox.id]
        self.used -= mailbox.size

    def over_now(self) -> bool:
        return bool(self.quota) and self.used > (self.quota or 0)
