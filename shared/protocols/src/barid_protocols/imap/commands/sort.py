"""SORT and UID SORT (RFC 5256 §3), by display names (RFC 5957), with RETURN (RFC 5267 §3)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.search import Search, parse_charset, parse_keys
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.search_returns import parse_returns
from barid_protocols.imap.sorting import Criterion, SortKey

MAX_CRITERIA = 20
"""Each is a sort of its own; there are nine keys."""


@dataclass(frozen=True, slots=True)
class Sort(Search):
    """``returns`` None: answer by SORT, else by ESEARCH, the results in their order."""

    criteria: tuple[Criterion, ...] = ()


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Sort:
    cursor.space()
    returns = parse_returns(cursor)
    cursor.expect(b"(")
    criteria = [_criterion(cursor)]
    while cursor.accept(b" "):
        criteria.append(_criterion(cursor))
        if len(criteria) > MAX_CRITERIA:
            raise SyntaxProblem("Too many sort keys")
    cursor.expect(b")")
    cursor.space()
    charset = parse_charset(cursor)
    cursor.space()
    key = parse_keys(cursor, charset)
    return Sort(tag, name, key, returns, criteria=tuple(criteria))


def _criterion(cursor: Cursor) -> Criterion:
    word = cursor.keyword()
    reverse = word == b"REVERSE"
    if reverse:
        cursor.space()
        word = cursor.keyword()
    try:
        return Criterion(SortKey(word), reverse)
    except ValueError:
        raise SyntaxProblem("Unknown sort key") from None
