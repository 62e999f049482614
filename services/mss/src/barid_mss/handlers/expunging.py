"""EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1)."""

from typing import TYPE_CHECKING

from barid_contracts.store import EXPUNGE, ExpungeRequest
from barid_protocols.imap.commands.expunge import Expunge
from barid_protocols.imap.responses import Completion, ok
from barid_runtime.bus.typed import call

from ..policy import deadlines
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
    return ok("Expunged")
