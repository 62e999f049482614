"""What went while a client was away (RFC 7162 §3.2.5, §3.2.6), from the mailstore's tombstones.

They are kept for a time only. Where they don't reach back, all is told as gone that isn't there: a client that hears of
messages it never knew passes over them.
"""

from typing import TYPE_CHECKING

from barid_contracts.store import VIEW, ViewRequest
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.vanished import Resync, vanished, vanished_line
from barid_runtime.bus.typed import call

from ..views.columns import uid_column
from .selection import Selection
from .slices import pieces

if TYPE_CHECKING:
    from .imap_session import ImapSession

FLAGS_AT_ONCE = 4_096
"""Messages looked at between two turns of the loop."""


async def resync(session: "ImapSession", selection: Selection, asked: Resync) -> None:
    """The untagged part of SELECT (QRESYNC …) behind the usual. Raises BusError."""
    selected = selection.selected
    through = asked.known_through(selected.uids)
    session.write(await gone_since(session, selection, asked.modseq, asked.known, above=through))
    slices = [(0, len(selected))] if asked.known is None else asked.known.slices_of_uids(selected.uids)
    for piece in pieces(slices, FLAGS_AT_ONCE):
        session.write(selected.fetch_flags(piece, uid=True, changedsince=asked.modseq))
        await session.room()


async def gone_since(
    session: "ImapSession", selection: Selection, modseq: int, known: SequenceSet | None, *, above: int = 0
) -> bytes:
    """The VANISHED (EARLIER) line, if any. Raises BusError."""
    view = selection.view
    request = ViewRequest(account=view.account, mailbox=view.id, since_modseq=max(modseq, 1), expunged_only=True)
    reply = await call(session.desk.bus, VIEW, request)
    expunged = None if modseq < reply.forgotten else uid_column(reply.expunged)
    uidnext = max(view.uidnext, reply.info.uidnext)
    return vanished_line(vanished(selection.selected.uids, expunged, known, uidnext=uidnext, above=above), earlier=True)
