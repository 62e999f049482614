r"""FETCH and UID FETCH (RFC 3501 §6.4.5) with CHANGEDSINCE (RFC 7162 §3.1.4) and PARTIAL (RFC 9394 §3.3).

What every session knows (UID, flags, MODSEQ) is answered from the snapshot; the rest in batches, each asked of the
mailstore in one question, with one STORE for the \Seen that reading sets. Output is made no faster than it is read.

A message that is gone gets no line, and the command ends in NO [EXPUNGEISSUED]; one whose body can't be read gets NIL,
and the command ends in NO [CORRUPTION]; all others are served.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from barid_protocols.imap import fetch_responses
from barid_protocols.imap.changes import Slices
from barid_protocols.imap.commands.fetch import Fetch
from barid_protocols.imap.fetch import Attribute, BinarySection, BodySection, FetchItem, Load, load_of, sets_seen
from barid_protocols.imap.flags import SEEN
from barid_protocols.imap.responses import Completion, ok
from barid_protocols.mime.bodystructure import body_from_bodystructure
from barid_runtime.bus.port import BusError
from barid_runtime.logging import get_logger

from ..views.summaries import Card
from .fetch_line import FetchLine
from .fetch_sections import SectionWriter
from .problems import EXPUNGE_ISSUED
from .searching import email_id
from .sections import needs_bytes
from .selection import Selection
from .slices import as_slices, indexes, pieces
from .storing import store_flags
from .vanishing import gone_since

if TYPE_CHECKING:
    from .imap_session import ImapSession

FLAGS_AT_ONCE = 4_096
"""Lines of flags between two turns of the loop: 2 ms, 250 KB."""

SUMMARIES_AT_ONCE = 200
"""Messages of one question to the mailstore: some 200 KB of envelopes or headers."""


WRITE_ABOVE = 64 * 1024
"""Octets of lines that are written in one piece."""

_FIELDS = {
    Attribute.RFC822_SIZE: "size",
    Attribute.INTERNALDATE: "date",
    Attribute.ENVELOPE: "envelope",
    Attribute.BODY: "structure",
    Attribute.BODYSTRUCTURE: "structure",
    Attribute.EMAILID: "mail_id",
    Attribute.PREVIEW: "body",
}

log = get_logger("mss.imap")


async def fetch(session: "ImapSession", command: Fetch) -> Completion:
    selection = session.selection
    assert selection is not None
    slices = selection.selected.slices(command.messages, uid=command.uid)
    if command.vanished and command.changedsince is not None and not command.messages.saved:
        session.write(await gone_since(session, selection, command.changedsince, command.messages))
    if command.page is not None:
        slices = command.page.cut_slices(slices)
    if load_of(command.items) is Load.SNAPSHOT:
        await _from_snapshot(session, selection, command, slices)
        return ok("Fetched")
    return await _Fetching(session, selection, command).run(slices)


async def _from_snapshot(session: "ImapSession", selection: Selection, command: Fetch, slices: Slices) -> None:
    selected = selection.selected
    items = frozenset(command.items)
    modseq = Attribute.MODSEQ in items
    for count, piece in enumerate(pieces(slices, FLAGS_AT_ONCE)):
        if count:
            await session.room()
        if Attribute.FLAGS in items:
            uid = Attribute.UID in items
            lines = selected.fetch_flags(piece, uid=uid, modseq=modseq, changedsince=command.changedsince)
        elif modseq:
            lines = _modseq_lines(selection, command, piece)
        else:
            found = indexes(piece)
            uids = selected.uids
            numbers = [selected.number(each) for each in found]
            lines = fetch_responses.uid_lines(numbers, [uids[each] for each in found], selected.word)
        session.write(lines)


def _modseq_lines(selection: Selection, command: Fetch, piece: Slices) -> bytes:
    selected = selection.selected
    lines: list[bytes] = []
    for index in indexes(piece):
        if command.changedsince is None or selected.modseqs[index] > command.changedsince:
            parts = [fetch_responses.uid_part(selected.uids[index])] if Attribute.UID in command.items else []
            parts.append(fetch_responses.modseq_part(selected.modseqs[index]))
            lines.append(fetch_responses.fetch_line(selected.number(index), parts, selected.word))
    return b"".join(lines)


class _Fetching:
    """One FETCH that needs more than the snapshot."""

    def __init__(self, session: "ImapSession", selection: Selection, command: Fetch) -> None:
        self._session = session
        self._selection = selection
        self._selected = selection.selected
        self._command = command
        self._items = command.items
        self._fields = _fields_of(command.items)
        sections = [item for item in command.items if item is Attribute.PREVIEW or not isinstance(item, Attribute)]
        self._sections = SectionWriter(session, selection, sections) if sections else None
        self._sets_seen = sets_seen(command.items) and not selection.read_only
        self._missing = False

    async def run(self, slices: Slices) -> Completion:
        """The next batch is asked for while this one is written."""
        batches = self._batches(slices)
        found = next(batches, None)
        asking = self._ask(found) if found else None
        try:
            while found and asking is not None:
                following = next(batches, None)
                told = await self._mark_seen(found)
                cards = await asking
                asking = self._ask(following) if following else None
                await self._batch(found, cards, told)
                if following:
                    # Not behind the last: one message and its tagged OK leave in one write, a third of their price.
                    await self._session.room()
                found = following
        finally:
            if asking is not None:
                asking.cancel()
        if self._sections is not None and self._sections.trouble is not None:
            return self._sections.trouble
        # By UID a message that is gone is no error (RFC 3501 §6.4.8).
        return EXPUNGE_ISSUED if self._missing and not self._command.uid else ok("Fetched")

    def _batches(self, slices: Slices) -> Iterator[list[int]]:
        since = self._command.changedsince
        for piece in pieces(slices, SUMMARIES_AT_ONCE):
            found = indexes(piece)
            if since is not None:
                found = [each for each in found if self._selected.modseqs[each] > since]
            if found:
                yield found

    def _ask(self, found: list[int]) -> asyncio.Future[dict[int, Card]]:
        uids = [self._selected.uids[index] for index in found]
        summaries, loop = self._session.desk.summaries, asyncio.get_running_loop()
        known = summaries.at_hand(self._selection.key, uids, self._fields)
        if known is None:
            return loop.create_task(summaries.get(self._selection.key, uids, self._fields))
        asked: asyncio.Future[dict[int, Card]] = loop.create_future()
        asked.set_result(known)
        return asked

    async def _batch(self, found: list[int], cards: dict[int, Card], told: frozenset[int]) -> None:
        """told: indexes of messages whose flags this FETCH has changed."""
        selected = self._selected
        if told or Attribute.FLAGS in self._items:
            news = selected.catch_up(as_slices(found))
            if news:
                self._session.write(news)
        lines: list[bytes] = []
        size = 0
        for index in found:
            card = cards.get(selected.uids[index])
            if card is None:
                self._missing = True
                continue
            parts = self._plain_parts(index, card, flags=index in told)
            line = FetchLine(self._session, selected.number(index), selected.word, parts, lines)
            if self._sections is not None:
                await self._sections.add(line, selected.uids[index], card)
            size += line.end()
            if size > WRITE_ABOVE:
                self._session.write(*lines)
                lines.clear()
                size = 0
                await self._session.room()
        self._session.write(*lines)

    async def _mark_seen(self, found: Sequence[int]) -> frozenset[int]:
        """Those that were unseen. Reading goes before: if the flag can't be stored, they are served all the same."""
        if not self._sets_seen:
            return frozenset()
        selected = self._selected
        mask = selected.table.mask
        unseen = [index for index in found if not mask(selected.codes[index]) & SEEN]
        if unseen:
            uids = [selected.uids[index] for index in unseen]
            try:
                await store_flags(self._session, self._selection, uids, "add", ["\\Seen"])
            except BusError as error:
                log.warning("not marked as seen", account=self._selection.view.account, error=repr(error))
        return frozenset(unseen)

    def _plain_parts(self, index: int, card: Card, *, flags: bool) -> list[bytes]:
        """All but the sections. FLAGS is told unasked where this FETCH changed them (RFC 3501 §6.4.5)."""
        selected = self._selected
        parts: list[bytes] = []
        for item in self._items:
            match item:
                case Attribute.UID:
                    parts.append(fetch_responses.uid_part(selected.uids[index]))
                case Attribute.FLAGS:
                    flags = True
                case Attribute.RFC822_SIZE:
                    parts.append(fetch_responses.size_part(card.size))
                case Attribute.INTERNALDATE:
                    parts.append(fetch_responses.internaldate_part(card.date))
                case Attribute.ENVELOPE:
                    parts.append(fetch_responses.envelope_part(card.envelope))
                case Attribute.BODYSTRUCTURE:
                    parts.append(fetch_responses.bodystructure_part(card.structure))
                case Attribute.EMAILID:
                    parts.append(fetch_responses.emailid_part(email_id(card.mail_id)))
                case Attribute.THREADID:
                    parts.append(fetch_responses.THREADID_NONE)
                case Attribute.BODY:
                    parts.append(fetch_responses.body_part(body_from_bodystructure(card.structure)))
                case _:
                    pass
        if flags:
            parts.append(fetch_responses.flags_part(selected.flag_text(index)))
        if Attribute.MODSEQ in self._items or (flags and selected.condstore):
            parts.append(fetch_responses.modseq_part(selected.modseqs[index]))
        return parts


def _fields_of(items: Sequence[FetchItem]) -> frozenset[str]:
    fields = {_FIELDS[item] for item in items if isinstance(item, Attribute) and item in _FIELDS}
    for item in items:
        if isinstance(item, BodySection):
            fields.add("body" if needs_bytes(item) else "headers")
        elif isinstance(item, BinarySection) or item is Attribute.PREVIEW:
            fields |= {"body", "headers"}
    return frozenset(fields)
