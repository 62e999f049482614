"""STORE and UID STORE (RFC 3501 §6.4.6) with UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

from typing import TYPE_CHECKING, Literal

from barid_contracts.store import STORE, StoreReply, StoreRequest
from barid_protocols.imap import codes
from barid_protocols.imap.changes import Row
from barid_protocols.imap.commands.store import Store, StoreAction
from barid_protocols.imap.errors import UserError
from barid_protocols.imap.flags import SYSTEM_FLAG_NAMES, FlagSet
from barid_protocols.imap.responses import Completion, ok
from barid_protocols.imap.stored_flags import stored_lines
from barid_runtime.bus.typed import call

from ..policy import deadlines
from ..views.columns import uid_column, wide_column
from .problems import EXPUNGE_ISSUED
from .selection import Selection

if TYPE_CHECKING:
    from .imap_session import ImapSession

Mode = Literal["set", "add", "remove"]
_MODES: dict[StoreAction, Mode] = {
    StoreAction.REPLACE: "set",
    StoreAction.ADD: "add",
    StoreAction.REMOVE: "remove",
}


def flag_names(flags: FlagSet) -> list[str]:
    return [name for bit, name in SYSTEM_FLAG_NAMES.items() if flags.mask & bit] + sorted(flags.keywords)


def selected_for_change(session: "ImapSession") -> Selection:
    """Raises UserError for a mailbox that is open read-only."""
    selection = session.selection
    assert selection is not None
    if selection.read_only:
        raise UserError("The mailbox is open read-only", codes.READ_ONLY)
    return selection


async def store_flags(
    session: "ImapSession",
    selection: Selection,
    uids: list[int],
    mode: Mode,
    flags: list[str],
    unchanged_since: int | None = None,
) -> StoreReply:
    """One STORE; the view has what it changed when this returns, unless the mailstore went away at once."""
    view = selection.view
    reply = await call(
        session.desk.bus,
        STORE,
        StoreRequest(
            account=view.account,
            mailbox=view.id,
            uids=uids,
            mode=mode,
            flags=flags,
            unchanged_since=unchanged_since,
        ),
        timeout=deadlines.of_change(len(uids)),
    )
    view.flags.learn(reply.keywords)
    await session.desk.shelf.catch_up(view, reply.modseq)
    return reply


async def store(session: "ImapSession", command: Store) -> Completion:
    selection = selected_for_change(session)
    selected = selection.selected
    uids = selected.uids_of(selected.slices(command.messages, uid=command.uid))
    if not uids:
        return ok("Nothing to store")
    reply = await store_flags(
        session, selection, uids.tolist(), _MODES[command.action], flag_names(command.flags), command.unchangedsince
    )
    modified = frozenset(reply.modified)
    rows = _rows(selection, reply, modified)
    missing = not reply.partial and len(rows) + len(modified) < len(uids)
    session.write(stored_lines(selected, rows, command, complete=not missing))
    if modified:
        numbers = sorted(modified) if command.uid else _numbers(selection, modified)
        return ok("Some were changed by others", codes.modified(numbers))
    # By UID a message that is gone is no error (RFC 3501 §6.4.8).
    return EXPUNGE_ISSUED if missing and not command.uid else ok("Stored")


def _rows(selection: Selection, reply: StoreReply, modified: frozenset[int]) -> list[Row]:
    code = selection.view.flags.code
    columns = zip(uid_column(reply.uids), wide_column(reply.flags), wide_column(reply.modseqs), strict=True)
    return [(uid, code(bits), modseq) for uid, bits, modseq in columns if uid not in modified]


def _numbers(selection: Selection, uids: frozenset[int]) -> list[int]:
    indexes = [selection.selected.index_of(uid) for uid in sorted(uids)]
    return [index + 1 for index in indexes if index is not None]
