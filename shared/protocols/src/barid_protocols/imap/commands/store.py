"""STORE and UID STORE (RFC 3501 §6.4.6, §6.4.8) with UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.flags import FlagSet
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet


class StoreAction(Enum):
    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"

    def applied(self, mask: int, keywords: frozenset[str], flags: FlagSet) -> tuple[int, frozenset[str]]:
        """What flags become of (``mask``, ``keywords``)."""
        if self is StoreAction.REPLACE:
            return flags.mask, flags.keywords
        if self is StoreAction.ADD:
            return mask | flags.mask, keywords | flags.keywords
        return mask & ~flags.mask, keywords - flags.keywords


@dataclass(frozen=True, slots=True)
class Store(Command):
    messages: SequenceSet
    action: StoreAction
    flags: FlagSet
    silent: bool = False
    unchangedsince: int | None = None

    @property
    def enables_condstore(self) -> bool:
        return self.unchangedsince is not None


_ACTIONS = {
    b"FLAGS": (StoreAction.REPLACE, False),
    b"FLAGS.SILENT": (StoreAction.REPLACE, True),
    b"+FLAGS": (StoreAction.ADD, False),
    b"+FLAGS.SILENT": (StoreAction.ADD, True),
    b"-FLAGS": (StoreAction.REMOVE, False),
    b"-FLAGS.SILENT": (StoreAction.REMOVE, True),
}


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Store:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    unchangedsince: int | None = None
    if cursor.accept(b"("):
        if cursor.keyword() != b"UNCHANGEDSINCE":
            raise SyntaxProblem("Unknown modifier")
        cursor.space()
        unchangedsince = cursor.modseq()
        cursor.expect(b")")
        cursor.space()
    action = _ACTIONS.get(cursor.keyword())
    if action is None:
        raise SyntaxProblem("Expected FLAGS, +FLAGS or -FLAGS")
    cursor.space()
    flags = cursor.flags()
    cursor.end()
    return Store(tag, name, messages, action[0], flags, action[1], unchangedsince)
