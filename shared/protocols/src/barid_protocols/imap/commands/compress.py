"""COMPRESS (RFC 4978)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Compress(Command):
    """By DEFLATE, from behind the tagged OK on, in both directions. NO [COMPRESSIONACTIVE] if it is on already."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Compress:
    cursor.space()
    if cursor.keyword() != b"DEFLATE":
        raise SyntaxProblem("Unknown compression")
    cursor.end()
    return Compress(tag, name)
