"""SUBSCRIBE (RFC 3501 §6.3.6)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    mailbox: str


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Subscribe:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.end()
    return Subscribe(tag, name, mailbox)
