"""SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2) with CONDSTORE and QRESYNC (RFC 7162 §3.1.8, §3.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import STAR, SequenceSet
from barid_protocols.imap.vanished import Resync


@dataclass(frozen=True, slots=True)
class Select(Command):
    """Whatever was selected is deselected by this, also when it fails by NO."""

    mailbox: str
    condstore: bool = False
    resync: Resync | None = None

    @property
    def by_number(self) -> bool:
        return self.resync is not None and self.resync.numbers is not None

    @property
    def needs_qresync(self) -> bool:
        return self.resync is not None

    @property
    def examine(self) -> bool:
        return self.name == b"EXAMINE"

    @property
    def enables_condstore(self) -> bool:
        return self.condstore


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Select:
    cursor.space()
    try:
        mailbox = cursor.mailbox()
    except UserError as error:
        # A NO would deselect, and the host has not even seen this command; a BAD changes nothing.
        raise SyntaxProblem(error.text) from error
    condstore = False
    resync: Resync | None = None
    if cursor.accept(b" ("):
        while True:
            match cursor.keyword():
                case b"CONDSTORE":
                    condstore = True
                case b"QRESYNC":
                    cursor.space()
                    resync = _resync(cursor)
                case _:
                    raise SyntaxProblem("Unknown parameter")
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    cursor.end()
    return Select(tag, name, mailbox, condstore, resync)


def _resync(cursor: Cursor) -> Resync:
    cursor.expect(b"(")
    uidvalidity = cursor.number()
    cursor.space()
    modseq = cursor.modseq()
    if not modseq:
        raise SyntaxProblem("Mod-sequences are counted from 1")
    known = numbers = uids = None
    if cursor.accept(b" "):
        if not cursor.next_is(b"("):
            known = _concrete(cursor)
        if known is None or cursor.accept(b" "):
            cursor.expect(b"(")
            numbers = _concrete(cursor)
            cursor.space()
            uids = _concrete(cursor)
            cursor.expect(b")")
    cursor.expect(b")")
    return Resync(uidvalidity, modseq, known, numbers, uids)


def _concrete(cursor: Cursor) -> SequenceSet:
    """``known-uids``: without ``*`` and ``$``."""
    numbers = cursor.sequence_set()
    if numbers.saved or any(high == STAR for _, high in numbers.ranges):
        raise SyntaxProblem("Only numbers may stand there")
    return numbers
