"""SELECT and EXAMINE (with QRESYNC, RFC 7162 §3.2.5), CLOSE, UNSELECT."""

from typing import TYPE_CHECKING

from barid_contracts.store import EXPUNGE, ExpungeRequest
from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.close import Close
from barid_protocols.imap.commands.select import Select
from barid_protocols.imap.commands.unselect import Unselect
from barid_protocols.imap.flags import DELETED
from barid_protocols.imap.responses import Completion, ok
from barid_runtime.bus.typed import call

from ..policy import deadlines
from .listing import mailbox_id
from .selection import Selection
from .vanishing import resync

if TYPE_CHECKING:
    from .imap_session import ImapSession


async def select(session: "ImapSession", command: Select) -> Completion:
    # Whatever was selected is not any more, also if this fails (RFC 3501 §6.3.1).
    if session.selection is not None:
        session.write(responses.closed())
        session.deselect()
    assert session.account is not None
    lease = await session.desk.shelf.open(session.account, command.mailbox)
    if session.wire.gone:
        lease.close()
        raise ConnectionResetError
    view = lease.view
    selection = Selection(
        lease, session, read_only=command.examine, condstore=session.core.condstore, enabled=session.core.enabled
    )
    session.select(selection)
    session.write(
        selection.selected.opening_lines(
            uidvalidity=view.uidvalidity, uidnext=view.uidnext, mailboxid=mailbox_id(view.id)
        )
    )
    if selection.selected.rev2:
        session.write(responses.list_line(view.name, utf8=True))
    if command.resync is not None and command.resync.uidvalidity == view.uidvalidity:
        await resync(session, selection, command.resync)
    return ok("Selected", codes.READ_ONLY if command.examine else codes.READ_WRITE)


async def close(session: "ImapSession", command: Close) -> Completion:
    """Expunges without a word, unless the mailbox is read-only (RFC 3501 §6.4.2)."""
    selection = session.selection
    assert selection is not None
    if not selection.read_only and selection.has_flag(DELETED):
        request = ExpungeRequest(account=selection.view.account, mailbox=selection.view.id)
        await call(session.desk.bus, EXPUNGE, request, timeout=deadlines.of_change(len(selection.selected)))
    session.deselect()
    return ok("Closed")


async def unselect(session: "ImapSession", command: Unselect) -> Completion:
    session.deselect()
    return ok("Unselected")
