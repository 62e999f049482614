"""CHECK (RFC 3501 §6.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Check(Command):
    """A NOOP to us: everything is durable before it is answered."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Check:
    cursor.end()
    return Check(tag, name)
