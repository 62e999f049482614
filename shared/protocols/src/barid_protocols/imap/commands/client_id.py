"""ID (RFC 2971)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor

MAX_FIELDS = 30
"""RFC 2971 §3.3."""
MAX_FIELD_LENGTH = 30
MAX_VALUE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Id(Command):
    """``fields``: what the client says of itself, in its order; None for NIL. Hearsay, good for logs only."""

    fields: tuple[tuple[str, str | None], ...]


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Id:
    cursor.space()
    if not cursor.accept(b"("):
        if cursor.nstring() is not None:
            raise SyntaxProblem("Expected NIL or a list")
        cursor.end()
        return Id(tag, name, ())
    fields: list[tuple[str, str | None]] = []
    if not cursor.accept(b")"):
        while True:
            field = cursor.string()
            cursor.space()
            value = cursor.nstring()
            if len(fields) == MAX_FIELDS or len(field) > MAX_FIELD_LENGTH or len(value or b"") > MAX_VALUE_LENGTH:
                raise SyntaxProblem("ID says too much")
            fields.append((_text(field), None if value is None else _text(value)))
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    cursor.end()
    return Id(tag, name, tuple(fields))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
