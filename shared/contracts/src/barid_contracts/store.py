"""What the mail storage server asks of the mailstore, and the changes that it hears of.

Flags of a message are one integer: bits 0–4 are the system flags (`barid_protocols.imap.flags`), bits 8–62 are the
mailbox's keywords, whose names `keywords` lists in the order of their bits (bit 8 first).
"""

from typing import Literal

from .base import Column, Empty, Event, Latin1, Message, Operation
from .mail import Accepted, BodyRef


class AccountRef(Message):
    account: str


class MailboxInfo(Message):
    """A mailbox with its counters. `unseen` and `deleted` count messages; `size` is in bytes."""

    id: int
    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    messages: int
    unseen: int
    size: int
    deleted: int = 0
    special_use: str = ""
    subscribed: bool = False
    selectable: bool = True


class MailboxList(Message):
    """subscribed_only: names that are subscribed to although no such mailbox exists (RFC 3501 §6.3.9)."""

    mailboxes: list[MailboxInfo]
    subscribed_only: list[str] = []


MAILBOXES = Operation("mail.v1.mailstore.mailboxes", AccountRef, MailboxList)


class MailboxName(Message):
    account: str
    name: str


MAILBOX_STATUS = Operation("mail.v1.mailstore.mailbox.status", MailboxName, MailboxInfo)
"""Problem `not_found` when there is none. Makes the account's usual mailboxes when it has none yet."""


class MailboxCreate(Message):
    account: str
    name: str
    special_use: str = ""


class MailboxRename(Message):
    account: str
    name: str
    new_name: str


class MailboxSubscribe(Message):
    account: str
    name: str
    subscribed: bool


MAILBOX_CREATE = Operation("mail.v1.mailstore.mailbox.create", MailboxCreate, MailboxInfo)
"""Superior names are made as well (RFC 3501 §6.3.3). Problem `conflict` when it exists."""
MAILBOX_DELETE = Operation("mail.v1.mailstore.mailbox.delete", MailboxName, Empty)
MAILBOX_RENAME = Operation("mail.v1.mailstore.mailbox.rename", MailboxRename, Empty)
"""Renaming INBOX moves its messages and leaves it empty (RFC 3501 §6.3.5)."""
MAILBOX_SUBSCRIBE = Operation("mail.v1.mailstore.mailbox.subscribe", MailboxSubscribe, Empty)


class ViewRequest(Message):
    """The messages of a mailbox from `after_uid` on, or (`since_modseq` > 0) all that changed after that.

    expunged_only: what was expunged since `since_modseq`, and no rows.
    """

    account: str
    mailbox: int
    after_uid: int = 0
    since_modseq: int = 0
    limit: int = 20_000
    expunged_only: bool = False


class ViewReply(Message):
    """One chunk of columns in the order of UIDs, and the mailbox's state in the same snapshot.

    expunged: UIDs (32 bits) gone since `since_modseq`. forgotten: if `since_modseq` is below it, `expunged` may lack
    some, and the whole mailbox must be read (RFC 7162 §3.2.5.2). more: ask again with `after_uid` = the last UID got.
    """

    info: MailboxInfo
    uids: Column
    flags: Column
    modseqs: Column
    expunged: Column = b""
    forgotten: int = 0
    keywords: list[str] = []
    more: bool = False


VIEW = Operation("mail.v1.mailstore.view", ViewRequest, ViewReply)


class SummariesRequest(Message):
    """fields: any of `size`, `date`, `envelope`, `structure`, `headers`, `mail_id`, `body` (ref, prefix, part tree and
    mail_id)."""

    account: str
    mailbox: int
    uids: list[int]
    fields: list[str]


class Summary(Message):
    """What was read of a message at the door. Fields not asked for are empty. date: epoch seconds (INTERNALDATE).
    size counts prefix and body. headers: prefix and header block; cut at the cap if `headers_cut`."""

    uid: int
    size: int = 0
    date: int = 0
    envelope: Latin1 = ""
    structure: Latin1 = ""
    headers: Latin1 = ""
    headers_cut: bool = False
    prefix: Latin1 = ""
    parts: str = ""
    ref: BodyRef | None = None
    mail_id: str = ""


class SummariesReply(Message):
    """Only those that still exist, in the order of UIDs; asked for more than a reply holds: `more` of them to ask."""

    rows: list[Summary]
    more: list[int] = []


SUMMARIES = Operation("mail.v1.mailstore.summaries", SummariesRequest, SummariesReply)


class StoreRequest(Message):
    """uids: None is all. unchanged_since: RFC 7162 §3.1.3; messages changed after it are left, and answered."""

    account: str
    mailbox: int
    uids: list[int] | None
    mode: Literal["set", "add", "remove"]
    flags: list[str]
    unchanged_since: int | None = None


class StoreReply(Message):
    """The mailbox's modseq after it, and the rows as they stand (all that were named and exist).

    partial: there are more of them than a reply holds; ask the view for what changed.
    """

    modseq: int
    uids: Column
    flags: Column
    modseqs: Column
    keywords: list[str] = []
    modified: list[int] = []
    partial: bool = False


STORE = Operation("mail.v1.mailstore.store", StoreRequest, StoreReply)


class CopyRequest(Message):
    """key: a name of this one wish, made as a MailId; asked for again with it, within an hour, the answer is what was
    done; empty: it is done as often as asked. not_after: epoch milliseconds from which on it must not be begun, for
    whoever asked may have said by then that it failed (problem `late`); 0: at any time."""

    account: str
    mailbox: int
    uids: list[int]
    target: str
    move: bool = False
    not_after: int = 0
    key: str = ""


class CopyReply(Message):
    """Source UIDs and their new ones, pairwise (COPYUID)."""

    uidvalidity: int
    source: Column
    target: Column
    modseq: int = 0


COPY = Operation("mail.v1.mailstore.copy", CopyRequest, CopyReply)
"""All or none. Problem `not_found`: no such target ([TRYCREATE]); `over_quota`."""


class ExpungeRequest(Message):
    """Remove for ever those flagged Deleted (`only_deleted`, the IMAP way) or all the named (POP3). uids None: all."""

    account: str
    mailbox: int
    uids: list[int] | None = None
    only_deleted: bool = True


class ExpungeReply(Message):
    expunged: Column
    modseq: int


EXPUNGE = Operation("mail.v1.mailstore.expunge", ExpungeRequest, ExpungeReply)


class AppendRequest(Message):
    """mail: the journal's record, already durable, without obligations. date: INTERNALDATE, epoch seconds.
    The mail's id is the key, and not_after: as of COPY."""

    account: str
    mailbox: str
    mail: Accepted
    flags: list[str] = []
    date: int
    not_after: int = 0


class AppendReply(Message):
    uidvalidity: int
    uid: int
    mailbox_id: int
    modseq: int = 0


APPEND = Operation("mail.v1.mailstore.append", AppendRequest, AppendReply)


class AppendItem(Message):
    """One message, as of AppendRequest."""

    mail: Accepted
    flags: list[str] = []
    date: int


class Replaced(Message):
    """A message that goes; mailbox: its id."""

    mailbox: int
    uid: int


class AppendAllRequest(Message):
    """Several messages, at least one, and what one of them replaces. The first mail's id is the key, and not_after: as
    of COPY."""

    account: str
    mailbox: str
    items: list[AppendItem]
    replaces: Replaced | None = None
    not_after: int = 0


APPEND_ALL = Operation("mail.v1.mailstore.append_all", AppendAllRequest, AppendReply)
"""All or none; their UIDs follow each other, from the reply's on. Problem `invalid`: what is to be replaced is gone."""


class QuotaReply(Message):
    """Bytes and messages used; limit in bytes, 0 is none."""

    used: int
    messages: int
    limit: int


QUOTA = Operation("mail.v1.mailstore.quota", AccountRef, QuotaReply)


class OverQuota(Message):
    """Accounts over their quota. full: the list is the whole truth; else only these changed."""

    over: list[str] = []
    under: list[str] = []
    full: bool = False


OVER_QUOTA_LIST = Operation("mail.v1.mailstore.over_quota", Empty, OverQuota)
OVER_QUOTA_CHANGED = Event("mail.v1.quota", OverQuota)


class MailboxChange(Message):
    """One commit's changes to one mailbox. A reader whose modseq is not `previous` has missed one and asks VIEW.

    added and changed are rows as after the commit: uid (32 bits), flags, modseq (64 bits). new_mail: delivered
    rather than copied or appended. gone: the mailbox was deleted.
    """

    mailbox: int
    previous: int
    modseq: int
    added: Column = b""
    added_flags: Column = b""
    added_modseqs: Column = b""
    changed: Column = b""
    changed_flags: Column = b""
    changed_modseqs: Column = b""
    expunged: Column = b""
    keywords: list[str] | None = None
    gone: bool = False


class AccountChanged(Message):
    """All changes that one commit made to one account; mailboxes: the list of names itself changed."""

    account: str
    changes: list[MailboxChange] = []
    mailboxes: bool = False


ACCOUNT_CHANGED = Event("mail.v1.changed.{account}", AccountChanged)

EVERY_ACCOUNT = "all"
"""In place of the account in the subject, with `account` empty: the mailstore has just started, and the last event
before that may be missing. Whoever keeps views compares their MODSEQs."""


class FindRequest(Message):
    """The newest messages of an account by substring, case folded: what test suites wait for. since: INTERNALDATE in
    epoch seconds; sender: in the reverse path or the From field."""

    account: str
    subject: str | None = None
    sender: str | None = None
    message_id: str | None = None
    mailbox: str | None = None
    since: int = 0
    limit: int = 10


class Found(Message):
    mailbox: str
    mailbox_id: int
    uid: int
    mail_id: str
    subject: str
    message_id: str
    size: int
    date: int


class FindReply(Message):
    found: list[Found]


FIND = Operation("mail.v1.mailstore.find", FindRequest, FindReply)
