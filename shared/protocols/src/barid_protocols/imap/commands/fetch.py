"""FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8) with CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4, §3.2.6)
and PARTIAL (RFC 9394 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.fetch import Attribute, FetchItem, parse_items
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.search_returns import Page, parse_page
from barid_protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """``items`` are complete: UID is among them in a UID FETCH, MODSEQ with CHANGEDSINCE.

    ``page``: of the messages that the set names, in their order; CHANGEDSINCE then chooses among those.
    """

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    changedsince: int | None = None
    page: Page | None = None
    vanished: bool = False
    """What of the set went since ``changedsince`` is asked for, too."""

    @property
    def needs_qresync(self) -> bool:
        return self.vanished

    @property
    def enables_condstore(self) -> bool:
        return Attribute.MODSEQ in self.items


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Fetch:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    items = parse_items(cursor)
    changedsince: int | None = None
    page: Page | None = None
    vanished = False
    if cursor.accept(b" ("):
        while True:
            match cursor.keyword():
                case b"CHANGEDSINCE":
                    cursor.space()
                    changedsince = cursor.modseq()
                case b"VANISHED" if name == b"UID FETCH":
                    vanished = True
                case b"PARTIAL" if name == b"UID FETCH":
                    cursor.space()
                    page = parse_page(cursor)
                case _:
                    raise SyntaxProblem("Unknown modifier")
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
        if vanished and changedsince is None:
            raise SyntaxProblem("VANISHED needs CHANGEDSINCE")
        if changedsince is not None and Attribute.MODSEQ not in items:
            items = (*items, Attribute.MODSEQ)
    cursor.end()
    if name == b"UID FETCH" and Attribute.UID not in items:
        items = (Attribute.UID, *items)
    return Fetch(tag, name, messages, items, changedsince, page, vanished)
