"""LIST, LSUB, STATUS."""

from typing import TYPE_CHECKING

from barid_contracts.store import MAILBOXES, AccountRef, MailboxInfo
from barid_protocols.imap import responses
from barid_protocols.imap.commands import status as items
from barid_protocols.imap.commands.list import List
from barid_protocols.imap.commands.status import StatusOf
from barid_protocols.imap.mailbox_names import parents, subscribed_matches
from barid_protocols.imap.responses import SPECIAL_USE, Completion, MailboxAttribute, ok
from barid_runtime.bus.typed import call

if TYPE_CHECKING:
    from .imap_session import ImapSession


async def list_mailboxes(session: "ImapSession", command: List) -> Completion:
    assert session.account is not None
    if not command.pattern and not command.subscribed:
        session.write(responses.hierarchy_line())
        return ok("Listed")
    pattern = command.matcher()
    reply = await call(session.desk.bus, MAILBOXES, AccountRef(account=session.account))
    if command.subscribed:
        names = [mailbox.name for mailbox in reply.mailboxes if mailbox.subscribed] + reply.subscribed_only
        lines = [
            responses.lsub_line(name, () if itself else (MailboxAttribute.NOSELECT,))
            for name, itself in subscribed_matches(names, pattern)
        ]
    else:
        superior = {parent for mailbox in reply.mailboxes for parent in parents(mailbox.name)}
        lines = [
            responses.list_line(mailbox.name, attributes(mailbox, has_children=mailbox.name in superior))
            for mailbox in reply.mailboxes
            if pattern.matches(mailbox.name)
        ]
    session.write(*lines)
    return ok("Listed")


def attributes(mailbox: MailboxInfo, *, has_children: bool) -> list[MailboxAttribute]:
    found = [MailboxAttribute.HAS_CHILDREN if has_children else MailboxAttribute.HAS_NO_CHILDREN]
    if not mailbox.selectable:
        found.insert(0, MailboxAttribute.NOSELECT)
    use = SPECIAL_USE.get(mailbox.special_use.removeprefix("\\").lower())
    if use is not None:
        found.append(use)
    return found


async def status(session: "ImapSession", command: StatusOf) -> Completion:
    assert session.account is not None
    info = await session.desk.statuses.ask(session.account, command.mailbox)
    values: dict[bytes, int] = {}
    for item in command.items:
        if item == items.RECENT:
            values[item] = session.desk.shelf.recent_count(session.account, info)
        elif item == items.APPENDLIMIT:
            values[item] = session.desk.settings.max_append
        else:
            values[item] = getattr(info, _FIELDS[item])
    session.write(responses.status_line(command.mailbox, values))
    return ok("Done")


_FIELDS = {
    items.MESSAGES: "messages",
    items.UIDNEXT: "uidnext",
    items.UIDVALIDITY: "uidvalidity",
    items.UNSEEN: "unseen",
    items.HIGHESTMODSEQ: "modseq",
    items.SIZE: "size",
}
