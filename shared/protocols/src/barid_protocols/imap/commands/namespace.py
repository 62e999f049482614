"""NAMESPACE (RFC 2342 §5)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """Asks for the roots of the hierarchies."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Namespace:
    cursor.end()
    return Namespace(tag, name)
