"""STATUS (RFC 3501 §6.3.10) with HIGHESTMODSEQ (RFC 7162 §3.1.7), APPENDLIMIT (RFC 7889 §3.2), SIZE (RFC 8438),
MAILBOXID (RFC 8474 §4.3) and DELETED (RFC 9051 §6.3.11)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor

MESSAGES = b"MESSAGES"
RECENT = b"RECENT"
UIDNEXT = b"UIDNEXT"
UIDVALIDITY = b"UIDVALIDITY"
UNSEEN = b"UNSEEN"
HIGHESTMODSEQ = b"HIGHESTMODSEQ"
APPENDLIMIT = b"APPENDLIMIT"
SIZE = b"SIZE"
DELETED = b"DELETED"
MAILBOXID = b"MAILBOXID"

ITEMS = frozenset(
    {MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, HIGHESTMODSEQ, APPENDLIMIT, SIZE, DELETED, MAILBOXID}
)


@dataclass(frozen=True, slots=True)
class StatusOf(Command):
    """``items`` are names of :data:`ITEMS`, each once, in the client's order."""

    mailbox: str
    items: tuple[bytes, ...]

    @property
    def enables_condstore(self) -> bool:
        return HIGHESTMODSEQ in self.items


def parse(tag: bytes, name: bytes, cursor: Cursor) -> StatusOf:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    items = parse_status_items(cursor)
    cursor.end()
    return StatusOf(tag, name, mailbox, items)


def parse_status_items(cursor: Cursor) -> tuple[bytes, ...]:
    """The parenthesised list, each item once."""
    cursor.expect(b"(")
    items: dict[bytes, None] = {}
    while True:
        item = cursor.keyword()
        if item not in ITEMS:
            raise SyntaxProblem("Unknown status item")
        items[item] = None
        if not cursor.accept(b" "):
            break
    cursor.expect(b")")
    return tuple(items)
