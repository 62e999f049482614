"""CREATE (RFC 3501 §6.3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.mailbox_names import validate_new


@dataclass(frozen=True, slots=True)
class Create(Command):
    """``mailbox`` passed :func:`.validate_new`. Missing parents are to be made too (§6.3.3, SHOULD)."""

    mailbox: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Create:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Create(tag, name, validate_new(mailbox))
