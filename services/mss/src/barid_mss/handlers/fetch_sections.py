"""The parts of a FETCH line that need octets of the message: BODY[…], BINARY[…] (RFC 3516 §4.2), PREVIEW (RFC 8970)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barid_protocols.imap import codes, fetch_responses
from barid_protocols.imap.fetch import Attribute, BinarySection, BodySection, FetchItem
from barid_protocols.imap.responses import Completion, no
from barid_runtime.journal.port import BodyUnavailable, JournalError
from barid_runtime.logging import get_logger

from ..views.summaries import Card
from .binary_parts import Decoded, UnknownEncoding, decoded, pieces_of
from .fetch_line import FetchLine
from .previews import preview_of
from .sections import NoSuchPart, Range, section_of
from .selection import Selection
from .stored_message import StoredMessage

if TYPE_CHECKING:
    from .imap_session import ImapSession

_CORRUPT = no("Some of the messages can't be read; the others were sent", codes.CORRUPTION)
_UNKNOWN_CTE = no("Some of the parts have an encoding that nobody knows", codes.UNKNOWNCTE)

log = get_logger("mss.imap")


@dataclass(slots=True)
class SectionWriter:
    """Of one FETCH. A part that can't be read is NIL, and `trouble` is how the command ends."""

    session: "ImapSession"
    selection: Selection
    items: Sequence[FetchItem]
    trouble: Completion | None = None

    async def add(self, line: FetchLine, uid: int, card: Card) -> None:
        message = StoredMessage(self.session.desk, self.selection.key, uid, card)
        for item in self.items:
            try:
                match item:
                    case BodySection():
                        await self._body(line, item, message, uid)
                    case BinarySection():
                        await self._binary(line, item, message, uid)
                    case _:
                        line.add(fetch_responses.preview_part(await preview_of(message)))
            except NoSuchPart:
                line.add(_nothing(item))
            except UnknownEncoding:
                self.trouble = self.trouble or _UNKNOWN_CTE
                line.add(_nothing(item))
            except BodyUnavailable:
                raise  # the command is answered NO: what is there, but not now, isn't shown as NIL
            except JournalError as error:
                self._unreadable(uid, card.mail_id, error)
                line.add(_nothing(item))

    async def _body(self, line: FetchLine, section: BodySection, message: StoredMessage, uid: int) -> None:
        piece = await section_of(section, message)
        if isinstance(piece, bytes):
            line.add(fetch_responses.section_part(section, piece))
            return
        line.promise(fetch_responses.section_start(section, piece.end - piece.start))
        await self._stream(piece, uid)

    async def _stream(self, piece: Range, uid: int) -> None:
        session = self.session
        try:
            async for octets in piece.message.stream(piece.start, piece.end):
                session.write(fetch_responses.clean(octets))
                await session.room()
        except JournalError as error:
            self._break_off(uid, piece.message.mail_id, error)

    async def _binary(self, line: FetchLine, section: BinarySection, message: StoredMessage, uid: int) -> None:
        found = await decoded(section, message)
        if section.size:
            size = len(found) if isinstance(found, bytes) else found.size
            line.add(fetch_responses.binary_size_part(section, size))
        elif isinstance(found, bytes):
            start, stop = section.window(len(found))
            line.add(fetch_responses.binary_part(section, found[start:stop]))
        else:
            await self._stream_decoded(line, section, found, uid)

    async def _stream_decoded(self, line: FetchLine, section: BinarySection, found: Decoded, uid: int) -> None:
        session = self.session
        start, stop = section.window(found.size)
        line.promise(fetch_responses.binary_start(section, stop - start, nul=found.nul))
        try:
            async for octets in pieces_of(found, start, stop):
                session.write(octets)
                await session.room()
        except JournalError as error:
            self._break_off(uid, found.message.mail_id, error)

    def _break_off(self, uid: int, mail_id: str, error: JournalError) -> None:
        """Octets were promised that can't be sent."""
        self._unreadable(uid, mail_id, error)
        if not isinstance(error, BodyUnavailable):
            self.session.desk.unreadable.add(mail_id)
        self.session.wire.abort()
        raise ConnectionResetError from error

    def _unreadable(self, uid: int, mail_id: str, error: JournalError) -> None:
        self.trouble = _CORRUPT
        log.error(
            "message can't be read",
            mail_id=mail_id,
            account=self.selection.view.account,
            uid=uid,
            error=repr(error),
        )


def _nothing(item: FetchItem) -> bytes:
    match item:
        case BodySection():
            return fetch_responses.section_part(item, None)
        case BinarySection() if item.size:
            return fetch_responses.binary_size_part(item, 0)
        case BinarySection():
            return fetch_responses.binary_part(item, None)
        case _:
            return Attribute.PREVIEW.value + b" NIL"
