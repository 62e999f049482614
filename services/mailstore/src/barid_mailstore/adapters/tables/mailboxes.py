"""Mailboxes by name: create, delete, rename, subscribe; and their counters."""

from barid_contracts.store import MailboxInfo, MailboxList
from barid_runtime.database.port import Cursor, Row

from ...policy.names import INBOX, SPECIAL_USES, inferior_names, known_name, new_name, parents, renamed
from ...ports.commits import Commit
from ...ports.errors import Conflict, Invalid, NotFound, TooMany
from .index import Index
from .rows import AccountRow, MailboxRow
from .unit import Unit

MOST_MAILBOXES = 10_000
"""Per account: the list of them travels in one reply."""

ACCOUNT = "(SELECT id FROM account WHERE uuid = ?)"
"""A join here would be five times as dear, 25 µs a look-up instead of 5, though SQLite plans the same steps."""

INFO_COLUMNS = (
    "m.id, m.name, m.uidvalidity, m.uidnext, m.modseq, m.messages, m.unseen, m.size, m.deleted, m.special_use,"
    " m.selectable, EXISTS (SELECT 1 FROM subscription s WHERE s.account = m.account AND s.name = m.name)"
)
_LIST = f"SELECT {INFO_COLUMNS} FROM mailbox m WHERE m.account = {ACCOUNT} ORDER BY m.name"  # noqa: S608
_ONE = f"SELECT {INFO_COLUMNS} FROM mailbox m WHERE m.account = {ACCOUNT} AND m.name = ?"  # noqa: S608
_SUBSCRIBED_ONLY = (
    f"SELECT s.name FROM subscription s WHERE s.account = {ACCOUNT} AND NOT EXISTS"  # noqa: S608
    " (SELECT 1 FROM mailbox m WHERE m.account = s.account AND m.name = s.name) ORDER BY s.name"
)


def info_of(row: Row) -> MailboxInfo:
    """From INFO_COLUMNS."""
    return MailboxInfo(
        id=row[0],
        name=row[1],
        uidvalidity=row[2],
        uidnext=row[3],
        modseq=row[4],
        messages=row[5],
        unseen=row[6],
        size=row[7],
        deleted=row[8],
        special_use=row[9],
        selectable=bool(row[10]),
        subscribed=bool(row[11]),
    )


def _info(mailbox: MailboxRow, *, subscribed: bool) -> MailboxInfo:
    return MailboxInfo(
        id=mailbox.id,
        name=mailbox.name,
        uidvalidity=mailbox.uidvalidity,
        uidnext=mailbox.uidnext,
        modseq=mailbox.modseq,
        messages=mailbox.messages,
        unseen=mailbox.unseen,
        size=mailbox.size,
        deleted=mailbox.deleted,
        special_use=mailbox.special_use,
        selectable=mailbox.selectable,
        subscribed=subscribed,
    )


def _retire(unit: Unit, mailbox: MailboxRow) -> None:
    """Remember the greatest UIDVALIDITY that a name had: whoever gets the name next must have a greater one."""
    unit.cursor.execute(
        "INSERT INTO retired VALUES (?, ?, ?) ON CONFLICT (account, name)"
        " DO UPDATE SET uidvalidity = excluded.uidvalidity WHERE retired.uidvalidity < excluded.uidvalidity",
        (mailbox.account, mailbox.name, mailbox.uidvalidity),
    )


def _remove(unit: Unit, account: AccountRow, mailbox: MailboxRow) -> None:
    """The mailbox; sessions that have it selected are told. Its messages are nobody's from now on, and the sweeper's:
    deleting a million of them here would hold the writer for seconds."""
    delta = unit.delta(account, mailbox)
    delta.gone = True
    unit.account_delta(account).names = True
    _retire(unit, mailbox)
    cursor = unit.cursor
    cursor.execute("INSERT INTO grave VALUES (?)", (mailbox.id,))
    cursor.execute("DELETE FROM mailbox WHERE id = ?", (mailbox.id,))
    account.drop(mailbox)
    unit.doomed = True


def _rename_row(unit: Unit, account: AccountRow, mailbox: MailboxRow, name: str) -> None:
    unit.dirty = True
    _retire(unit, mailbox)
    row = unit.cursor.one("SELECT uidvalidity FROM retired WHERE account = ? AND name = ?", (account.id, name))
    if row is not None and row[0] >= mailbox.uidvalidity:
        # The name belonged to another mailbox before (RFC 3501 §2.3.1.1: greater than ever seen under it).
        mailbox.uidvalidity = unit.take_uidvalidity(account)
    unit.cursor.execute(
        "UPDATE mailbox SET name = ?, uidvalidity = ? WHERE id = ?", (name, mailbox.uidvalidity, mailbox.id)
    )
    del account.mailboxes[mailbox.name]
    mailbox.name = name
    account.mailboxes[name] = mailbox


def make_superiors(unit: Unit, account: AccountRow, name: str) -> None:
    """RFC 3501 §6.3.3."""
    for superior in parents(name):
        if superior not in account.mailboxes:
            unit.create_mailbox(account, superior)


def _empty_inbox_into(unit: Unit, account: AccountRow, name: str) -> None:
    """RENAME of INBOX: its messages move to a new mailbox, its inferiors stay (RFC 3501 §6.3.5)."""
    inbox = account.mailboxes[INBOX]
    target = unit.create_mailbox(account, name)
    delta = unit.delta(account, inbox)
    there = unit.delta(account, target)
    cursor = unit.cursor
    for uid, flags in cursor.all("SELECT uid, flags FROM message WHERE mailbox = ? ORDER BY uid", (inbox.id,)):
        delta.expunged.append(uid)
        there.added.append(uid)
        there.added_flags.append(flags)
    cursor.execute(
        "INSERT INTO tombstone SELECT mailbox, uid, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM message"
        " WHERE mailbox = ?",
        (delta.modseq, int(unit.now), inbox.id),
    )
    cursor.execute("UPDATE message SET mailbox = ?, modseq = ? WHERE mailbox = ?", (target.id, there.modseq, inbox.id))
    if inbox.keywords:
        unit.learn_keywords(there, target, inbox.keywords)
    target.uidnext = inbox.uidnext
    target.messages, target.unseen, target.deleted, target.size = (
        inbox.messages, inbox.unseen, inbox.deleted, inbox.size,
    )  # fmt: skip
    inbox.messages = inbox.unseen = inbox.deleted = inbox.size = 0


class TableMailboxes:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def list_all(self, account: str) -> MailboxList | None:
        """None: the account was never touched."""

        def work(cursor: Cursor) -> MailboxList | None:
            rows = cursor.all(_LIST, (account,))
            if not rows:
                return None
            names = [row[0] for row in cursor.all(_SUBSCRIBED_ONLY, (account,))]
            return MailboxList(mailboxes=[info_of(row) for row in rows], subscribed_only=names)

        return await self._index.read(work)

    async def status(self, account: str, name: str) -> MailboxInfo | None:
        """None: there is none, or the account was never touched."""

        def work(cursor: Cursor) -> MailboxInfo | None:
            row = cursor.one(_ONE, (account, known_name(name)))
            return info_of(row) if row is not None and row[10] else None

        return await self._index.read(work)

    async def touch(self, account: str) -> Commit[None]:
        """Make the account's usual mailboxes unless it has some."""

        def work(unit: Unit) -> None:
            unit.account(account)

        return await self._index.write(work, [account])

    async def create(self, account: str, name: str, special_use: str) -> Commit[MailboxInfo]:
        stored = new_name(name)
        if special_use not in SPECIAL_USES:
            raise Invalid("No such special use")

        def work(unit: Unit) -> MailboxInfo:
            owner = unit.account(account)
            existing = owner.mailboxes.get(stored)
            if existing is not None and existing.selectable:
                raise Conflict("Mailbox exists")
            if len(owner.mailboxes) >= MOST_MAILBOXES:
                raise TooMany("Too many mailboxes")
            if special_use and any(each.special_use == special_use for each in owner.mailboxes.values()):
                # Whoever files by use (Sieve, other clients) must find one mailbox (RFC 6154 §3 lets us).
                raise Invalid("Another mailbox has that use")
            if existing is not None:
                _remove(unit, owner, existing)
            make_superiors(unit, owner, stored)
            mailbox = unit.create_mailbox(owner, stored, special_use)
            subscribed = unit.cursor.one(
                "SELECT 1 FROM subscription WHERE account = ? AND name = ?", (owner.id, stored)
            )
            return _info(mailbox, subscribed=subscribed is not None)

        return await self._index.write(work, [account])

    async def delete(self, account: str, name: str) -> Commit[None]:
        """One with inferiors leaves its name as a placeholder (RFC 3501 §6.3.4)."""
        stored = known_name(name)
        if stored == INBOX:
            raise Invalid("INBOX can't be deleted")

        def work(unit: Unit) -> None:
            owner = unit.account(account)
            mailbox = owner.mailboxes.get(stored)
            if mailbox is None:
                raise NotFound("No such mailbox")
            inferiors = inferior_names(stored, list(owner.mailboxes))
            if inferiors and not mailbox.selectable:
                raise Conflict("Mailbox has inferior names")
            _remove(unit, owner, mailbox)
            if inferiors:
                unit.create_mailbox(owner, stored, selectable=False)

        return await self._index.write(work, [account])

    async def rename(self, account: str, name: str, to: str) -> Commit[None]:
        old, new = known_name(name), new_name(to)

        def work(unit: Unit) -> None:
            owner = unit.account(account)
            mailbox = owner.mailboxes.get(old)
            if mailbox is None:
                raise NotFound("No such mailbox")
            if new in owner.mailboxes:
                raise Conflict("Mailbox exists")
            if old == INBOX:
                make_superiors(unit, owner, new)
                _empty_inbox_into(unit, owner, new)
                return
            if inferior_names(old, [new]):
                raise Invalid("A mailbox can't be moved below itself")
            inferiors = inferior_names(old, list(owner.mailboxes))
            for inferior in inferiors:
                target = new_name(renamed(inferior, old, new))
                if target in owner.mailboxes:
                    raise Conflict("Mailbox exists")
            unit.account_delta(owner).names = True
            make_superiors(unit, owner, new)
            for each in [old, *inferiors]:
                _rename_row(unit, owner, owner.mailboxes[each], renamed(each, old, new))

        return await self._index.write(work, [account])

    async def subscribe(self, account: str, name: str, *, subscribed: bool) -> Commit[None]:
        """Subscribing to a name without a mailbox is allowed (RFC 3501 §6.3.6)."""
        stored = new_name(name) if subscribed else known_name(name)

        def work(unit: Unit) -> None:
            owner = unit.account(account)
            unit.account_delta(owner).names = True
            if not subscribed:
                unit.cursor.execute("DELETE FROM subscription WHERE account = ? AND name = ?", (owner.id, stored))
                return
            count = unit.cursor.one("SELECT count(*) FROM subscription WHERE account = ?", (owner.id,))
            if count is not None and count[0] >= MOST_MAILBOXES:
                raise Invalid("Too many subscriptions")
            unit.subscribe(owner, stored)

        return await self._index.write(work, [account])
