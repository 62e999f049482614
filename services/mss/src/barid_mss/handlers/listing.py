"""LIST, LSUB, STATUS; LIST with options and with STATUS (RFC 5258, RFC 5819)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from barid_contracts.store import MAILBOXES, AccountRef, MailboxInfo, MailboxList
from barid_protocols.imap import responses
from barid_protocols.imap.commands import status as items
from barid_protocols.imap.commands.list import List
from barid_protocols.imap.commands.status import StatusOf
from barid_protocols.imap.listing import Entry, listed
from barid_protocols.imap.mailbox_names import subscribed_matches
from barid_protocols.imap.responses import SPECIAL_USE, Completion, MailboxAttribute, ok
from barid_runtime.bus.typed import call

if TYPE_CHECKING:
    from .imap_session import ImapSession


async def list_mailboxes(session: "ImapSession", command: List) -> Completion:
    assert session.account is not None
    if command.asks_separator:
        session.write(responses.hierarchy_line())
        return ok("Listed")
    reply = await call(session.desk.bus, MAILBOXES, AccountRef(account=session.account))
    if command.lsub:
        names = [mailbox.name for mailbox in reply.mailboxes if mailbox.subscribed] + reply.subscribed_only
        (pattern,) = command.matchers()
        lines = [
            responses.lsub_line(name, () if itself else (MailboxAttribute.NOSELECT,), utf8=session.core.profile.utf8)
            for name, itself in subscribed_matches(names, pattern)
        ]
    else:
        lines = _listed(session, command, reply)
    session.write(*lines)
    return ok("Listed")


def _listed(session: "ImapSession", command: List, reply: MailboxList) -> list[bytes]:
    entries = [_entry(mailbox) for mailbox in reply.mailboxes]
    if reply.subscribed_only:
        entries += [Entry(name, exists=False, selectable=False, subscribed=True) for name in reply.subscribed_only]
        entries.sort(key=lambda entry: entry.name)
    infos = {mailbox.name: mailbox for mailbox in reply.mailboxes} if command.status else {}
    lines: list[bytes] = []
    for each in listed(command, entries, utf8=session.core.profile.utf8):
        lines.append(each.line)
        if command.status and each.entry.selectable:
            lines.append(_status_line(session, each.entry.name, infos[each.entry.name], command.status))
    return lines


def _entry(mailbox: MailboxInfo) -> Entry:
    return Entry(
        mailbox.name,
        selectable=mailbox.selectable,
        subscribed=mailbox.subscribed,
        use=SPECIAL_USE.get(mailbox.special_use.removeprefix("\\").lower()),
    )


def mailbox_id(mailbox: int) -> str:
    """MAILBOXID (RFC 8474 §4): the mailstore's number, which no other mailbox ever gets, and a rename leaves."""
    return f"F{mailbox}"


async def status(session: "ImapSession", command: StatusOf) -> Completion:
    assert session.account is not None
    info = await session.desk.statuses.ask(session.account, command.mailbox)
    session.write(_status_line(session, command.mailbox, info, command.items))
    return ok("Done")


def _status_line(session: "ImapSession", name: str, info: MailboxInfo, asked: Iterable[bytes]) -> bytes:
    assert session.account is not None
    values: dict[bytes, int | str] = {}
    for item in asked:
        if item == items.RECENT:
            values[item] = session.desk.shelf.recent_count(session.account, info)
        elif item == items.APPENDLIMIT:
            values[item] = session.desk.settings.max_append
        elif item == items.MAILBOXID:
            values[item] = mailbox_id(info.id)
        else:
            values[item] = getattr(info, _FIELDS[item])
    return responses.status_line(name, values, utf8=session.core.profile.utf8)


_FIELDS = {
    items.MESSAGES: "messages",
    items.UIDNEXT: "uidnext",
    items.UIDVALIDITY: "uidvalidity",
    items.UNSEEN: "unseen",
    items.HIGHESTMODSEQ: "modseq",
    items.SIZE: "size",
    items.DELETED: "deleted",
}
