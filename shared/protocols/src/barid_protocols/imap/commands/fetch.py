"""FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8) with CHANGEDSINCE (RFC 7162 §3.1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.fetch import Attribute, FetchItem, parse_items
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """``items`` are complete: UID is among them in a UID FETCH, MODSEQ with CHANGEDSINCE."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    changedsince: int | None = None

    @property
    def enables_condstore(self) -> bool:
        return Attribute.MODSEQ in self.items


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Fetch:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    items = parse_items(cursor)
    changedsince: int | None = None
    if cursor.accept(b" ("):
        if cursor.keyword() != b"CHANGEDSINCE":
            raise SyntaxProblem("Unknown modifier")
        cursor.space()
        changedsince = cursor.modseq()
        cursor.expect(b")")
        if Attribute.MODSEQ not in items:
            items = (*items, Attribute.MODSEQ)
    cursor.end()
    if name == b"UID FETCH" and Attribute.UID not in items:
        items = (Attribute.UID, *items)
    return Fetch(tag, name, messages, items, changedsince)
