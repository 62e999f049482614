"""NOOP (RFC 3501 §6.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """The host polls the selected mailbox."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Noop:
    cursor.end()
    return Noop(tag, name)
