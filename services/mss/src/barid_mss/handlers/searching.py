"""SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 7162 §3.1.5), with RETURN (RFC 4731) and ``$`` (RFC 5182).

Keys that ask for flags and numbers are answered from the snapshot. For the others each message is tried with what is at
hand; where a key asks for more (LookupError), the message is tried again with its summary, and if that isn't enough
with its text. Keys of one AND run cheapest first, so a body is read only where all others let pass. The loop is given
back after every TURN.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.search import Search
from barid_protocols.imap.responses import Completion, no, ok
from barid_protocols.imap.search import (
    BodyContains,
    DateField,
    HasEmailId,
    Key,
    Needs,
    OnDate,
    TextContains,
    leaves,
    needs,
    with_saved,
)
from barid_protocols.imap.search_predicates import Predicate, compile_key
from barid_protocols.imap.selected_search import SnapshotRow, candidates, rows, search_line, search_snapshot
from barid_protocols.mime.dates import parse_date
from barid_protocols.mime.decode import MAX_TEXT, text_of, text_parts
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.words import decode_words
from barid_runtime.journal.port import BodyUnavailable, JournalError
from barid_runtime.logging import get_logger

from ..views.summaries import Card
from .message_bytes import MessageBytes
from .slices import pieces

if TYPE_CHECKING:
    from .imap_session import ImapSession
    from .selection import Selection

AT_ONCE = 200
"""Messages of one question to the mailstore."""

TURN = 0.005
"""Seconds of searching between two turns of the loop: what others in this process may have to wait."""

TELL_EVERY = 10.0
"""Seconds between two lines that say how far it is (RFC 9585 §3): a client that hears nothing for long gives up."""

UNREADABLE = no("Some of the messages can't be read", codes.CORRUPTION)

log = get_logger("mss.imap")


async def search(session: "ImapSession", command: Search) -> Completion:
    selection = session.selection
    assert selection is not None
    selected = selection.selected
    if selected.saved:
        command = replace(command, key=with_saved(command.key, selected.saved))
    if command.returns is None and not needs(command.key) and not selected.rev2:
        numbers, modseq = search_snapshot(selected, command.key, uid=command.uid)
        session.write(responses.search(numbers, modseq))
        return ok("Searched")
    if command.returns is not None and command.returns.saves:
        # So it is left by a NO (RFC 5182 §2.1).
        selected.save(())
    matches, unreadable = await find(session, selection, command)
    session.write(search_line(selected, command, matches))
    if unreadable:
        selected.save(())
        return UNREADABLE
    return ok("Searched")


async def find(session: "ImapSession", selection: "Selection", command: Search) -> tuple[Sequence[int], bool]:
    """The numbers of the messages that match, ascending; and whether some can't be read."""
    if not needs(command.key):
        return search_snapshot(selection.selected, command.key, uid=False)[0], False
    searching = _Searching(session, selection, command)
    found = await searching.run()
    return [row.seq for row in found], searching.unreadable


def email_id(mail_id: str) -> str:
    """EMAILID (RFC 8474 §5.1): copies of a mail, and what it is moved to, have one."""
    return f"M{mail_id}"


def _fields_of(key: Key) -> set[str]:
    """What is asked of the mailstore."""
    fields = {"size", "date"}
    if needs(key) - {Needs.SUMMARY}:
        fields.add("headers")
    for leaf in leaves(key):
        match leaf:
            case OnDate(DateField.SENT):
                fields.add("headers")
            case BodyContains() | TextContains():
                fields.add("body")
            case HasEmailId():
                fields.add("mail_id")
            case _:
                pass
    return fields


class _SummaryRow(SnapshotRow):
    """A row with what the index has of the message."""

    __slots__ = ("_block", "card")

    def __init__(self, row: SnapshotRow, card: Card) -> None:
        super().__init__(row.seq, row.uid, row.mask, row.keywords, row.recent, row.modseq)
        self.card = card
        self._block: HeaderBlock | None = None

    @property
    def block(self) -> HeaderBlock:
        if self._block is None:
            self._block = HeaderBlock(self.card.headers)
        return self._block

    @property
    def size(self) -> int:
        return self.card.size

    @property
    def received(self) -> int:
        return self.card.date

    @property
    def email_id(self) -> str:
        return email_id(self.card.mail_id)

    @property
    def internal_date(self) -> date:
        """In UTC, as INTERNALDATE is sent."""
        return _day(self.card.date)

    @property
    def sent_date(self) -> date | None:
        """The day that the sender wrote, in the sender's zone."""
        sent = parse_date(self.block.date)
        return None if sent is None else _day(sent.seconds + 60 * sent.offset)

    def header(self, name: str) -> bytes | None:
        values = self.block.all(name.encode("latin-1", "replace"))
        return b"\r\n".join(values) if values else None


class _TextRow(_SummaryRow):
    """A row with the text of the message, case-folded."""

    __slots__ = ("_text",)

    def __init__(self, row: "_SummaryRow", text: str) -> None:
        super().__init__(row, row.card)
        self._text = text

    def body_contains(self, needle: str) -> bool:
        return needle in self._text

    def text_contains(self, needle: str) -> bool:
        return needle in self._text or needle in decode_words(self.card.headers).casefold()


def _day(seconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date()


class _Searching:
    def __init__(self, session: "ImapSession", selection: "Selection", command: Search) -> None:
        selected = selection.selected
        self._session = session
        self._selection = selection
        self._slices = candidates(selected, command.key)
        last_uid = selected.uids[-1] if selected.uids else 0
        self._test: Predicate = compile_key(
            command.key, last_number=len(selected), last_uid=last_uid, now=session.desk.clock.now()
        )
        self._fields = _fields_of(command.key)
        self._turn = self._told = asyncio.get_running_loop().time()
        self._tag = command.tag
        self._done = 0
        self.unreadable = False

    async def run(self) -> list[SnapshotRow]:
        found: list[SnapshotRow] = []
        for piece in pieces(self._slices, AT_ONCE):
            self._done += sum([stop - start for start, stop in piece])
            sure: list[SnapshotRow] = []
            unsure: list[SnapshotRow] = []
            for row in rows(self._selection.selected, piece):
                try:
                    if self._test(row):
                        sure.append(row)
                except LookupError:
                    unsure.append(row)
            if unsure:
                sure = sorted([*sure, *await self._look_closer(unsure)], key=lambda row: row.seq)
            found += sure
            await self._breathe()
        return found

    async def _look_closer(self, unsure: Sequence[SnapshotRow]) -> list[SnapshotRow]:
        uids = [row.uid for row in unsure]
        cards = await self._session.desk.summaries.get(self._selection.key, uids, self._fields)
        found: list[SnapshotRow] = []
        for row in unsure:
            card = cards.get(row.uid)
            if card is None:
                continue  # gone
            closer = _SummaryRow(row, card)
            try:
                matches = self._test(closer)
            except LookupError:
                matches = self._test(_TextRow(closer, await self._text(row.uid, card)))
            if matches:
                found.append(row)
            await self._breathe()
        return found

    async def _text(self, uid: int, card: Card) -> str:
        """The decoded text, case-folded; what can't be read holds nothing."""
        try:
            message = MessageBytes(self._session.desk.bodies, card)
            root = await message.root(card.headers)
            texts: list[str] = []
            limit = MAX_TEXT
            for node in text_parts(root):
                end = min(node.end, node.body_start + limit)
                limit -= max(end - node.body_start, 0)
                texts.append(text_of(await message.read(node.body_start + message.prefix, end + message.prefix), node))
                if limit <= 0:
                    break
                await self._breathe()
            return "\n".join(texts).casefold()
        except BodyUnavailable:
            raise
        except JournalError as error:
            self.unreadable = True
            log.error(  # noqa: TRY400 - the text says it all
                "message can't be read",
                mail_id=card.mail_id,
                account=self._selection.view.account,
                uid=uid,
                error=repr(error),
            )
            return ""

    async def _breathe(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._turn > TURN:
            await asyncio.sleep(0)
            self._turn = loop.time()
            if self._session.wire.gone:
                raise ConnectionResetError
            if self._turn - self._told > TELL_EVERY:
                self._told = self._turn
                goal = sum([stop - start for start, stop in self._slices])
                self._session.write(
                    responses.untagged_ok("Still searching", codes.inprogress(self._tag, self._done, goal))
                )
