"""COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851), with COPYUID (RFC 4315 §3)."""

from typing import TYPE_CHECKING

from barid_contracts.store import COPY, CopyReply, CopyRequest
from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.copy import Copy
from barid_protocols.imap.commands.move import Move
from barid_protocols.imap.responses import Completion, no, ok
from barid_runtime.bus.port import OperationFailed
from barid_runtime.ids import new_mail_id

from ..policy import deadlines
from ..views.columns import uid_column
from .asking import ask_until_known
from .expunging import highest_modseq
from .problems import EXPUNGE_ISSUED
from .selection import Selection
from .storing import selected_for_change

if TYPE_CHECKING:
    from .imap_session import ImapSession

_NO_TARGET = no("No such mailbox", codes.TRYCREATE)


async def copy(session: "ImapSession", command: Copy) -> Completion:
    selection = session.selection
    assert selection is not None
    return await _copy(session, selection, command, move=False)


async def move(session: "ImapSession", command: Move) -> Completion:
    return await _copy(session, selected_for_change(session), command, move=True)


async def _copy(session: "ImapSession", selection: Selection, command: Copy | Move, *, move: bool) -> Completion:
    selected, view = selection.selected, selection.view
    uids = selected.uids_of(selected.slices(command.messages, uid=command.uid)).tolist()
    if not uids:
        return ok("Nothing to copy")
    desk = session.desk
    window = deadlines.Window(desk.clock.now(), deadlines.of_change(len(uids)))
    request = CopyRequest(
        account=view.account,
        mailbox=view.id,
        uids=uids,
        target=command.mailbox,
        move=move,
        not_after=window.not_after,
        key=new_mail_id(window.now),
    )
    try:
        reply = await ask_until_known(desk.bus, desk.clock, COPY, request, window)
    except OperationFailed as failure:
        if failure.code == "not_found":
            return _NO_TARGET
        raise
    shelf = desk.shelf
    await shelf.catch_up(shelf.find(view.account, command.mailbox))
    code = _copyuid(reply)
    if move:
        # COPYUID goes before the EXPUNGEs: after them a client no longer knows what was copied (RFC 6851 §4.3).
        if code:
            session.write(responses.untagged_ok("Moved", code))
        await shelf.catch_up(view, reply.modseq)
        code = highest_modseq(session, selection, command.name) if code else b""
    if not command.uid and len(uid_column(reply.source)) < len(uids):
        return EXPUNGE_ISSUED
    return ok("Moved" if move else "Copied", code)


def _copyuid(reply: CopyReply) -> bytes:
    sources = uid_column(reply.source)
    return codes.copyuid(reply.uidvalidity, sources, uid_column(reply.target)) if sources else b""
