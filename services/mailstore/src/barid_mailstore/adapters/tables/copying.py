"""COPY and MOVE: new rows for the same bodies, all or none (RFC 3501 §6.4.7, RFC 6851)."""

from barid_contracts.store import CopyReply

from ...policy.columns import uid_column
from ...policy.flags import ALL_SYSTEM, DELETED, SEEN, translation
from ...ports.commits import Commit
from ...ports.errors import Invalid
from .index import Index
from .messages import refuse_over_quota, remove_messages, where_uids
from .once import refuse_late, remember_copy, what_was_copied
from .rows import AccountRow, MailboxRow
from .unit import Unit

MOST_COPIES = 200_000
"""In one transaction: about a second of the writer's time."""

_KEYWORD_BITS = ~ALL_SYSTEM


def _copy(
    unit: Unit, account: AccountRow, source: MailboxRow, target: MailboxRow, uids: list[int], *, move: bool
) -> tuple[list[int], int]:
    """Returns the source UIDs that existed, and the first UID of their copies, which follow each other."""
    cursor = unit.cursor
    where, parameters = where_uids(cursor, source.id, uids)
    rows = cursor.all(f"SELECT uid, flags, size FROM message WHERE {where} ORDER BY uid", parameters)  # noqa: S608
    if not rows:
        return [], 0
    if len(rows) > MOST_COPIES:
        raise Invalid("Too many messages at once")
    size = sum([row[2] for row in rows])
    if not move:
        refuse_over_quota(account, size)
    delta = unit.delta(account, target)
    used = 0
    for row in rows:
        used |= row[1]
    used &= _KEYWORD_BITS
    flags = f"flags & {ALL_SYSTEM}"
    if used:
        pairs, new = translation(used, source.keywords, target.keywords)
        if new:
            unit.learn_keywords(delta, target, new)
        flags = " | ".join([f"({flags})", *[f"((flags >> {a} & 1) << {b})" for a, b in pairs]])
    first = target.uidnext
    cursor.execute(
        # The numbers are ours; the condition holds constants and `?` only.
        f"INSERT INTO message SELECT {target.id}, {first - 1} + row_number() OVER (ORDER BY uid), body, {flags},"  # noqa: S608
        f" {delta.modseq}, internaldate, size, prefix FROM message WHERE {where}",
        parameters,
    )
    fresh = cursor.all("SELECT uid, flags FROM message WHERE mailbox = ? AND uid >= ? ORDER BY uid", (target.id, first))
    target.uidnext = first + len(rows)
    target.messages += len(rows)
    target.unseen += sum([not row[1] & SEEN for row in rows])
    target.deleted += sum([1 for row in rows if row[1] & DELETED])
    target.size += size
    account.used += size
    delta.added += [row[0] for row in fresh]
    delta.added_flags += [row[1] for row in fresh]
    copied = [row[0] for row in rows]
    if move:
        where, parameters = where_uids(cursor, source.id, copied)
        remove_messages(unit, account, source, where, parameters)
    return copied, first


class TableCopying:
    def __init__(self, index: Index) -> None:
        self._index = index

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
        def work(unit: Unit) -> CopyReply:
            if key and (done := what_was_copied(unit, key)) is not None:
                return done
            refuse_late(unit, not_after)
            owner = unit.account(account)
            source = unit.mailbox(owner, mailbox_id)
            target = unit.mailbox_named(owner, name)
            copied, first = _copy(unit, owner, source, target, uids, move=move)
            reply = CopyReply(
                uidvalidity=target.uidvalidity,
                source=uid_column(copied),
                target=uid_column(range(first, first + len(copied))),
                modseq=source.modseq,
            )
            if key and copied:
                remember_copy(unit, key, reply, first)
            return reply

        return await self._index.write(work, [account])
