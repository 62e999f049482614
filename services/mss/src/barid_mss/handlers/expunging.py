"""EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1), with HIGHESTMODSEQ (RFC 7162 §3.2.7, §3.2.9)."""

from typing import TYPE_CHECKING

from barid_contracts.store import EXPUNGE, ExpungeRequest
from barid_protocols.imap import codes
from barid_protocols.imap.commands.expunge import Expunge
from barid_protocols.imap.responses import Completion, ok
from barid_runtime.bus.typed import call

from ..policy import deadlines
from .selection import Selection
from .storing import selected_for_change

if TYPE_CHECKING:
    from .imap_session import ImapSession


async def expunge(session: "ImapSession", command: Expunge) -> Completion:
    selection = selected_for_change(session)
    view, selected = selection.view, selection.selected
    uids: list[int] | None = None
    if command.uids is not None:
        uids = selected.uids_of(selected.slices(command.uids, uid=True)).tolist()
        if not uids:
            return ok("Nothing to expunge")
    request = ExpungeRequest(account=view.account, mailbox=view.id, uids=uids)
    reply = await call(
        session.desk.bus, EXPUNGE, request, timeout=deadlines.of_change(len(selected) if uids is None else len(uids))
    )
    await session.desk.shelf.catch_up(view, reply.modseq)
    return ok("Expunged", highest_modseq(session, selection, command.name) if reply.expunged else b"")


def highest_modseq(session: "ImapSession", selection: Selection, command: bytes) -> bytes:
    """The code of a tagged OK behind which the client is told of all that was expunged (RFC 7162 §3.2.7)."""
    if b"QRESYNC" not in session.core.enabled:
        return b""
    session.poll(command)
    return codes.highestmodseq(selection.selected.highest_modseq)
