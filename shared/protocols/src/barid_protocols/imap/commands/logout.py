"""LOGOUT (RFC 3501 §6.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """The connection puts the untagged BYE before the host's OK."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Logout:
    cursor.end()
    return Logout(tag, name)
