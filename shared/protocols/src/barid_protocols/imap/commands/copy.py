"""COPY and UID COPY (RFC 3501 §6.4.7)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """All or nothing: on any failure the target is left as it was. No such target: NO [TRYCREATE]."""

    messages: SequenceSet
    mailbox: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Copy:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Copy(tag, name, messages, mailbox)
