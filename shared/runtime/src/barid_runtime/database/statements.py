"""Services write SQL once, as SQLite takes it: `?` for parameters in their order, or `?1`, `?2` for one that is used
twice. Here it is made into what PostgreSQL takes. Where a statement must be another one there, a work asks its cursor
for the `dialect`.
"""

import re
from dataclasses import dataclass

# What is not a parameter's place: quoted text and names, and comments.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?(\d*)")
_ROWS = re.compile(r"^\s*(?:SELECT|WITH|VALUES|TABLE|SHOW|EXPLAIN)\b|\bRETURNING\b", re.IGNORECASE)

MOST_KNOWN = 2_000
"""Statements are written by us, some dozens a service; a bound all the same, should one be put together at run time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """sql: with numbered parameters. rows: it answers with rows."""

    sql: str
    rows: bool


_known: dict[str, Statement] = {}


def statement(sql: str) -> Statement:
    """Costs a look-up when seen before."""
    found = _known.get(sql)
    if found is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        found = _known[sql] = _numbered(sql)
    return found


def _numbered(sql: str) -> Statement:
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        if not match[0].startswith("?"):
            return match[0]
        if match[1]:
            return f"${match[1]}"
        count += 1
        return f"${count}"

    text = _TOKEN.sub(number, sql)
    return Statement(text, _ROWS.search(text) is not None)
