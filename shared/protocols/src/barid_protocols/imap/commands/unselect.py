"""UNSELECT (RFC 3691)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """Deselects and expunges nothing."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Unselect:
    cursor.end()
    return Unselect(tag, name)
