"""THREAD and UID THREAD (RFC 5256 §4)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.search import Search, parse_charset, parse_keys
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.threads import Algorithm


@dataclass(frozen=True, slots=True)
class Thread(Search):
    algorithm: Algorithm = Algorithm.REFERENCES


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Thread:
    cursor.space()
    try:
        algorithm = Algorithm(cursor.keyword())
    except ValueError:
        raise SyntaxProblem("Unknown threading algorithm") from None
    cursor.space()
    charset = parse_charset(cursor)
    cursor.space()
    return Thread(tag, name, parse_keys(cursor, charset), algorithm=algorithm)
