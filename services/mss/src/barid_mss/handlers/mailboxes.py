"""CREATE (RFC 3501 §6.3.3, RFC 6154 §3), DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE."""

from typing import TYPE_CHECKING

from barid_contracts.store import (
    MAILBOX_CREATE,
    MAILBOX_DELETE,
    MAILBOX_RENAME,
    MAILBOX_SUBSCRIBE,
    MailboxCreate,
    MailboxName,
    MailboxRename,
    MailboxSubscribe,
)
from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.create import Create
from barid_protocols.imap.commands.delete import Delete
from barid_protocols.imap.commands.rename import Rename
from barid_protocols.imap.commands.subscribe import Subscribe
from barid_protocols.imap.commands.unsubscribe import Unsubscribe
from barid_protocols.imap.responses import Completion, no, ok
from barid_runtime.bus.port import OperationFailed
from barid_runtime.bus.typed import call

from .listing import mailbox_id

if TYPE_CHECKING:
    from .imap_session import ImapSession


async def create(session: "ImapSession", command: Create) -> Completion:
    use = command.use.value.decode("ascii") if command.use is not None else ""
    request = MailboxCreate(account=_account(session), name=command.mailbox, special_use=use)
    try:
        made = await call(session.desk.bus, MAILBOX_CREATE, request)
    except OperationFailed as failure:
        if use and failure.code == "invalid":
            return no(failure.text or "No mailbox can be made for that use", codes.USEATTR)
        raise
    return ok("Created", codes.mailboxid(mailbox_id(made.id)))


async def delete(session: "ImapSession", command: Delete) -> Completion:
    """A session that deletes what it has selected has no mailbox selected any more; all others end by BYE."""
    selection = session.selection
    own = selection is not None and selection.view.name == command.mailbox
    try:
        await call(session.desk.bus, MAILBOX_DELETE, MailboxName(account=_account(session), name=command.mailbox))
    except OperationFailed as failure:
        if failure.code == "conflict":
            return no(failure.text or "It has children", codes.HASCHILDREN)
        raise
    # One that had children is still there as a name, and its messages are not.
    if own:
        session.write(responses.closed())
        session.deselect()
        session.core.deselected()
    return ok("Deleted")


async def rename(session: "ImapSession", command: Rename) -> Completion:
    request = MailboxRename(account=_account(session), name=command.source, new_name=command.target)
    await call(session.desk.bus, MAILBOX_RENAME, request)
    return ok("Renamed")


async def subscribe(session: "ImapSession", command: Subscribe) -> Completion:
    return await _subscribed(session, command.mailbox, subscribed=True)


async def unsubscribe(session: "ImapSession", command: Unsubscribe) -> Completion:
    return await _subscribed(session, command.mailbox, subscribed=False)


async def _subscribed(session: "ImapSession", name: str, *, subscribed: bool) -> Completion:
    request = MailboxSubscribe(account=_account(session), name=name, subscribed=subscribed)
    await call(session.desk.bus, MAILBOX_SUBSCRIBE, request)
    return ok("Subscribed" if subscribed else "Unsubscribed")


def _account(session: "ImapSession") -> str:
    assert session.account is not None
    return session.account
