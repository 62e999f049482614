"""MOVE and UID MOVE (RFC 6851)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Move(Command):
    """Untagged OK [COPYUID], then the EXPUNGEs, then the tagged OK (§4.3). No such target: NO [TRYCREATE]."""

    messages: SequenceSet
    mailbox: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Move:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Move(tag, name, messages, mailbox)
