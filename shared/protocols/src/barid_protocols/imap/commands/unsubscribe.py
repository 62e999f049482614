"""UNSUBSCRIBE (RFC 3501 §6.3.7)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    mailbox: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Unsubscribe:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Unsubscribe(tag, name, mailbox)
