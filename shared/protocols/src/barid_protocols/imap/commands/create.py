"""CREATE (RFC 3501 §6.3.3), with the use of the new mailbox (RFC 6154 §3)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap import codes
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.mailbox_names import validate_new
from barid_protocols.imap.responses import SPECIAL_USE, MailboxAttribute


@dataclass(frozen=True, slots=True)
class Create(Command):
    """``mailbox`` passed :func:`.validate_new`. Missing parents are to be made too (§6.3.3, SHOULD)."""

    mailbox: str
    use: MailboxAttribute | None = None


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Create:
    cursor.space()
    mailbox = cursor.mailbox()
    use: MailboxAttribute | None = None
    if cursor.accept(b" ("):
        if cursor.keyword() != b"USE":
            raise SyntaxProblem("Unknown parameter")
        cursor.space()
        use = _use(cursor)
        cursor.expect(b")")
    cursor.end()
    return Create(tag, name, validate_new(mailbox), use)


def _use(cursor: Cursor) -> MailboxAttribute | None:
    r"""One use of those that a mailbox can be given: \All and \Flagged would have to show what others hold."""
    cursor.expect(b"(")
    uses: list[MailboxAttribute | None] = []
    if not cursor.accept(b")"):
        while True:
            cursor.expect(b"\\")
            uses.append(SPECIAL_USE.get(cursor.atom().decode("ascii").lower()))
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    if None in uses or not set(uses).isdisjoint(_VIRTUAL):
        raise UserError("No mailbox can be made for that use", codes.USEATTR)
    if len(uses) > 1:
        raise UserError("A mailbox has one use at most", codes.USEATTR)
    return uses[0] if uses else None


_VIRTUAL = (MailboxAttribute.ALL, MailboxAttribute.FLAGGED)
