"""ENABLE (RFC 5161)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.capabilities import ENABLEABLE
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """``capabilities``: those asked for that we can enable. The connection puts ``* ENABLED`` before the host's OK."""

    capabilities: tuple[bytes, ...]

    @property
    def enables_condstore(self) -> bool:
        """QRESYNC includes it (RFC 7162 §3.2.3)."""
        return b"CONDSTORE" in self.capabilities or b"QRESYNC" in self.capabilities


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Enable:
    asked: dict[bytes, None] = {}
    while not asked or not cursor.at_end():
        cursor.space()
        asked[cursor.keyword()] = None
    return Enable(tag, name, tuple(ENABLEABLE[capability] for capability in asked if capability in ENABLEABLE))
