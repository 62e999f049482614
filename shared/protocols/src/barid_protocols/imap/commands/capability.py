"""CAPABILITY (RFC 3501 §6.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """Answered by the connection itself."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Capability:
    cursor.end()
    return Capability(tag, name)
