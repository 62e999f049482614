"""CLOSE (RFC 3501 §6.4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Close(Command):
    """Expunges without EXPUNGE lines, unless read-only, and deselects."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Close:
    cursor.end()
    return Close(tag, name)
