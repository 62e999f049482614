"""EXPUNGE (RFC 3501 §6.4.3) and UID EXPUNGE (RFC 4315 §2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    r"""Remove what is \Deleted; only among ``uids``, if given."""

    uids: SequenceSet | None = None


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Expunge:
    uids: SequenceSet | None = None
    if name == b"UID EXPUNGE":
        cursor.space()
        uids = cursor.sequence_set()
    cursor.end()
    return Expunge(tag, name, uids)
