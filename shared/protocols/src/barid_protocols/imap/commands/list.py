"""LIST and LSUB (RFC 3501 §6.3.8, §6.3.9)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.mailbox_names import Pattern


@dataclass(frozen=True, slots=True)
class List(Command):
    """An empty ``pattern`` asks for the separator: answer :func:`.responses.hierarchy_line`."""

    reference: str
    pattern: str

    @property
    def subscribed(self) -> bool:
        """Whether this is LSUB, see :func:`.mailbox_names.subscribed_matches`."""
        return self.name == b"LSUB"

    def matcher(self) -> Pattern:
        return Pattern(self.reference, self.pattern)


def parse(tag: bytes, name: bytes, cursor: Cursor) -> List:
    cursor.space()
    reference = cursor.reference()
    cursor.space()
    pattern = cursor.mailbox_pattern()
    cursor.end()
    return List(tag, name, reference, pattern)
