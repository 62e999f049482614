"""SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2) with the CONDSTORE parameter (RFC 7162 §3.1.8)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Select(Command):
    """Whatever was selected is deselected by this, also when it fails by NO."""

    mailbox: str
    condstore: bool = False

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
    if cursor.accept(b" ("):
        while True:
            if cursor.keyword() != b"CONDSTORE":
                raise SyntaxProblem("Unknown parameter")
            condstore = True
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    cursor.end()
    return Select(tag, name, mailbox, condstore)
