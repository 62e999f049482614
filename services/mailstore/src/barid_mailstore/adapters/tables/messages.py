"""Messages of a mailbox: STORE, EXPUNGE, APPEND. Each is a few statements on sets, whatever the number of messages.

UIDs come as a range where they are one, else as JSON that SQLite reads as a table, and as an array on PostgreSQL: the
plan is a look-up by primary key for each, and there is no limit to the number of parameters.
"""

import json
from typing import Any

from barid_contracts.mail import Accepted
from barid_contracts.store import AppendItem, AppendReply, ExpungeReply, Replaced, StoreReply
from barid_runtime.database.port import Cursor

from ...policy.columns import uid_column, wide_column
from ...policy.flags import DELETED, MAX_KEYWORDS, SEEN, has_room, mask_of
from ...ports.commits import Commit, MailboxDelta
from ...ports.errors import Invalid, OverQuota, TooMany
from ...ports.store import Mode
from .bodies import BODIES, LEDGER, MESSAGES, body_values
from .index import Index
from .once import refuse_late
from .rows import AccountRow, MailboxRow
from .unit import Overtaken, Unit

APPENDED = -1
"""The ledger's `n` of an APPEND: it owes nobody, but asked twice it must be done once."""

MOST_UID = 2**32 - 1
"""RFC 3501 §2.3.1.1. What is beyond names no message, and would not fit into a column."""

MOST_ROWS = 200_000
"""Rows in one reply: 5 MB as columns in base64, under the bus's limit. Whoever asked for more asks for the view."""


def refuse_keywords_beyond(mailbox: MailboxRow, flags: list[str]) -> None:
    """A client must hear that its keyword was not kept; deliveries leave out what finds no room."""
    if not has_room(flags, mailbox.keywords):
        raise TooMany(f"A mailbox has room for {MAX_KEYWORDS} keywords")


def where_uids(cursor: Cursor, mailbox: int, uids: list[int] | None) -> tuple[str, list[Any]]:
    """The condition on `message`, and its parameters."""
    if uids is None:
        return "mailbox = ?", [mailbox]
    wanted = sorted({uid for uid in uids if 0 < uid <= MOST_UID})
    if wanted and wanted[-1] - wanted[0] == len(wanted) - 1:
        return "mailbox = ? AND uid BETWEEN ? AND ?", [mailbox, wanted[0], wanted[-1]]
    if cursor.dialect == "postgres":
        return "mailbox = ? AND uid = ANY(?::bigint[])", [mailbox, wanted]
    return "mailbox = ? AND uid IN (SELECT value FROM json_each(?))", [mailbox, json.dumps(wanted)]


def refuse_over_quota(account: AccountRow, size: int) -> None:
    """What a user adds is refused when it doesn't fit; what others sent was refused at RCPT or not at all."""
    if account.quota and account.used + size > account.quota:
        raise OverQuota("Not enough room in the account")


def remove_messages(
    unit: Unit, account: AccountRow, mailbox: MailboxRow, where: str, parameters: list[Any]
) -> MailboxDelta | None:
    """Delete rows for ever, leaving tombstones. `where` is a condition on `message`, constants and `?` only."""
    cursor = unit.cursor
    rows = cursor.all(f"SELECT uid, flags, size FROM message WHERE {where} ORDER BY uid", parameters)  # noqa: S608
    if not rows:
        return None
    delta = unit.delta(account, mailbox)
    cursor.execute(f"INSERT INTO doomed (body) SELECT body FROM message WHERE {where}", parameters)  # noqa: S608
    cursor.execute(
        f"INSERT INTO tombstone SELECT mailbox, uid, {delta.modseq}, {int(unit.now)} FROM message WHERE {where}",  # noqa: S608
        parameters,
    )
    cursor.execute(f"DELETE FROM message WHERE {where}", parameters)  # noqa: S608
    size = sum([row[2] for row in rows])
    mailbox.messages -= len(rows)
    mailbox.unseen -= sum([not row[1] & SEEN for row in rows])
    mailbox.deleted -= sum([1 for row in rows if row[1] & DELETED])
    mailbox.size -= size
    account.used -= size
    delta.expunged += [row[0] for row in rows]
    unit.doomed = True
    return delta


def _new_flags(mode: Mode, mask: int) -> tuple[str, str]:
    """SQL of the flags after a STORE, and of whether they differ from those before. `mask` is ours, not a client's."""
    if mode == "add":
        return f"flags | {mask}", f"flags & {mask} <> {mask}"
    if mode == "remove":
        return f"flags & ~{mask}", f"flags & {mask} <> 0"
    return f"{mask}", f"flags <> {mask}"


def _store(
    unit: Unit,
    account: AccountRow,
    mailbox: MailboxRow,
    uids: list[int] | None,
    mode: Mode,
    mask: int,
    new_keywords: list[str],
    unchanged_since: int | None,
) -> list[int]:
    """Returns the UIDs left alone because they changed after `unchanged_since`."""
    cursor = unit.cursor
    where, parameters = where_uids(unit.cursor, mailbox.id, uids)
    modified: list[int] = []
    allowed = ""
    if unchanged_since is not None:
        since = int(unchanged_since)
        modified = [
            row[0]
            for row in cursor.all(
                f"SELECT uid FROM message WHERE {where} AND modseq > {since} ORDER BY uid",  # noqa: S608
                parameters,
            )
        ]
        allowed = f" AND modseq <= {since}"
    after, differs = _new_flags(mode, mask)
    changing = f"{where}{allowed} AND {differs}"
    rows = cursor.all(
        f"SELECT uid, {after}, flags FROM message WHERE {changing} ORDER BY uid",  # noqa: S608
        parameters,
    )
    if not rows:
        return modified
    delta = unit.delta(account, mailbox)
    if new_keywords:
        unit.learn_keywords(delta, mailbox, new_keywords)
    cursor.execute(
        f"UPDATE message SET flags = {after}, modseq = {delta.modseq} WHERE {changing}",  # noqa: S608
        parameters,
    )
    delta.changed = [row[0] for row in rows]
    delta.changed_flags = [row[1] for row in rows]
    before = [row[2] for row in rows]
    mailbox.unseen += sum([flags & SEEN for flags in before]) - sum([flags & SEEN for flags in delta.changed_flags])
    mailbox.deleted += sum([flags & DELETED for flags in delta.changed_flags]) // DELETED
    mailbox.deleted -= sum([flags & DELETED for flags in before]) // DELETED
    return modified


class TableMessages:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def store(
        self,
        account: str,
        mailbox_id: int,
        uids: list[int] | None,
        mode: Mode,
        flags: list[str],
        unchanged_since: int | None,
    ) -> Commit[StoreReply]:
        def work(unit: Unit) -> StoreReply:
            owner = unit.account(account)
            mailbox = unit.mailbox(owner, mailbox_id)
            if mode != "remove":
                refuse_keywords_beyond(mailbox, flags)
            mask, new = mask_of(flags, mailbox.keywords, learn=mode != "remove")
            modified = _store(unit, owner, mailbox, uids, mode, mask, new, unchanged_since)
            where, parameters = where_uids(unit.cursor, mailbox.id, uids)
            rows = unit.cursor.all(
                f"SELECT uid, flags, modseq FROM message WHERE {where} ORDER BY uid LIMIT {MOST_ROWS + 1}",  # noqa: S608
                parameters,
            )
            partial = len(rows) > MOST_ROWS
            rows = rows[:MOST_ROWS]
            return StoreReply(
                modseq=mailbox.modseq,
                uids=uid_column([row[0] for row in rows]),
                flags=wide_column([row[1] for row in rows]),
                modseqs=wide_column([row[2] for row in rows]),
                keywords=mailbox.keywords,
                modified=modified,
                partial=partial,
            )

        return await self._index.write(work, [account])

    async def expunge(
        self, account: str, mailbox_id: int, uids: list[int] | None, *, only_deleted: bool
    ) -> Commit[ExpungeReply]:
        def work(unit: Unit) -> ExpungeReply:
            owner = unit.account(account)
            mailbox = unit.mailbox(owner, mailbox_id)
            if only_deleted and not mailbox.deleted:
                return ExpungeReply(expunged=b"", modseq=mailbox.modseq)
            where, parameters = where_uids(unit.cursor, mailbox.id, uids)
            if only_deleted:
                where += f" AND flags & {DELETED} <> 0"
            delta = remove_messages(unit, owner, mailbox, where, parameters)
            return ExpungeReply(
                expunged=uid_column(delta.expunged) if delta is not None else b"", modseq=mailbox.modseq
            )

        return await self._index.write(work, [account])

    async def append(
        self, account: str, name: str, mail: Accepted, flags: list[str], date: int, *, not_after: int = 0
    ) -> Commit[AppendReply]:
        """Asked twice with the same mail it answers what it did."""
        items = [AppendItem.model_construct(mail=mail, flags=flags, date=date)]
        return await self.append_all(account, name, items, None, not_after=not_after)

    async def append_all(
        self, account: str, name: str, items: list[AppendItem], replaces: Replaced | None, *, not_after: int = 0
    ) -> Commit[AppendReply]:
        if not items or not all(0 <= item.date < 1 << 40 for item in items):
            raise Invalid("A date that can't be")

        def work(unit: Unit) -> AppendReply:
            cursor = unit.cursor
            key = (items[0].mail.mail_id, APPENDED)
            done = cursor.one("SELECT detail FROM ledger WHERE mail_id = ? AND n = ?", key)
            if done is not None and done[0]:
                return AppendReply.model_validate_json(json.dumps(json.loads(done[0])["append"]))
            refuse_late(unit, not_after)
            owner = unit.account(account)
            mailbox = unit.mailbox_named(owner, name)
            old = _to_be_replaced(unit, owner, replaces)
            refuse_over_quota(owner, sum([_size(item.mail) for item in items]) - (old[1] if old is not None else 0))
            for item in items:
                refuse_keywords_beyond(mailbox, item.flags)
            replies = [_append(unit, owner, mailbox, item) for item in items]
            if old is not None:
                source, _, uid = old
                remove_messages(unit, owner, source, "mailbox = ? AND uid = ?", [source.id, uid])
            return replies[0]

        return await self._index.write(work, [account])


def _size(mail: Accepted) -> int:
    return len(mail.trace) + mail.size


def _to_be_replaced(unit: Unit, owner: AccountRow, replaces: Replaced | None) -> tuple[MailboxRow, int, int] | None:
    """(its mailbox, size, UID)."""
    if replaces is None:
        return None
    source = unit.mailbox(owner, replaces.mailbox)
    row = unit.cursor.one("SELECT size FROM message WHERE mailbox = ? AND uid = ?", (source.id, replaces.uid))
    if row is None:
        raise Invalid("The message to be replaced is gone")
    return source, row[0], replaces.uid


def _append(unit: Unit, owner: AccountRow, mailbox: MailboxRow, item: AppendItem) -> AppendReply:
    cursor, mail = unit.cursor, item.mail
    size = _size(mail)
    body = unit.take_body()
    BODIES.insert(cursor, [body_values(unit, body, mail)])
    delta = unit.delta(owner, mailbox)
    mask, new = mask_of(item.flags, mailbox.keywords, learn=True)
    if new:
        unit.learn_keywords(delta, mailbox, new)
    uid = mailbox.uidnext
    MESSAGES.insert(cursor, [(mailbox.id, uid, body, mask, delta.modseq, item.date, size, "")])
    mailbox.uidnext = uid + 1
    mailbox.messages += 1
    mailbox.unseen += not mask & SEEN
    mailbox.deleted += bool(mask & DELETED)
    mailbox.size += size
    owner.used += size
    delta.added.append(uid)
    delta.added_flags.append(mask)
    reply = AppendReply(uidvalidity=mailbox.uidvalidity, uid=uid, mailbox_id=mailbox.id, modseq=delta.modseq)
    detail = json.dumps({"mailboxes": [mailbox.name], "append": reply.model_dump()}, ensure_ascii=False)
    row = (
        mail.mail_id, APPENDED, owner.id, "appended", int(unit.now * 1000), body, "", mail.reverse_path,
        mail.message_id, detail,
    )  # fmt: skip
    if not LEDGER.insert(cursor, [row]):
        raise Overtaken
    return reply
