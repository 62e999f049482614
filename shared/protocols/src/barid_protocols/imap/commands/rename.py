"""RENAME (RFC 3501 §6.3.5)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.mailbox_names import validate_new


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """``target`` passed :func:`.validate_new`. Renaming INBOX moves its messages and leaves it empty."""

    source: str
    target: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Rename:
    cursor.space()
    source = cursor.mailbox()
    cursor.space()
    target = cursor.mailbox()
    cursor.end()
    return Rename(tag, name, source, validate_new(target))
