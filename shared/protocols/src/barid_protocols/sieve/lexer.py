"""Script text to tokens (RFC 5228 §8.1): one compiled expression, pulled one token at a time.

Invariant: every character is looked at a bounded number of times; the possessive quantifiers keep unterminated
strings and comments from being tried again.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.limits import MAX_NUMBER
from barid_protocols.sieve.nodes import Source


class TokenKind(Enum):
    IDENTIFIER = "identifier"
    TAG = "tag"
    NUMBER = "number"
    STRING = "string"
    PUNCTUATION = "punctuation"
    END = "end of script"


class Token(NamedTuple):
    """`text` is the decoded string, the lower-case identifier or tag (no colon), the digits' value or the sign."""

    kind: TokenKind
    text: str
    number: int
    position: int

    def describe(self) -> str:
        return self.kind.value if self.kind is TokenKind.END else f"{self.kind.value} {shown(self.text)}"


_TOKEN = re.compile(
    r"""
      (?P<skip>(?:[ \t\r\n]++|\#[^\n]*+|/\*.*?\*/)++)
    | (?P<multiline>text:[ \t]*+(?:\#[^\n]*+|\r)?\n)
    | (?P<identifier>[a-z_][a-z0-9_]*+)
    | (?P<tag>:[a-z_][a-z0-9_]*+)
    | (?P<number>[0-9]++[kmg]?(?![a-z0-9_]))
    | (?P<string>"(?:[^"\\\0]++|\\[^\0])*+")
    | (?P<punctuation>[][(){},;])
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)
_MULTILINE_END = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
_STUFFED_DOT = re.compile(r"^\.\.", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MULTIPLIERS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MAX_DIGITS = 10  # of 2^31 - 1; int() refuses thousands of digits with an error of its own


def tokens(source: Source) -> Iterator[Token]:
    """The tokens of a script, ending with one `TokenKind.END`. Raises SieveSyntaxError."""
    text = source.text
    position = 0
    end = len(text)
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise source.error(position, _complaint(text, position))
        kind = match.lastgroup
        start, position = position, match.end()
        if kind == "skip":
            continue
        if kind == "punctuation":
            yield Token(TokenKind.PUNCTUATION, match[0], 0, start)
        elif kind == "string":
            value = match[0][1:-1]
            yield Token(TokenKind.STRING, _ESCAPE.sub(r"\1", value) if "\\" in value else value, 0, start)
        elif kind == "identifier":
            yield Token(TokenKind.IDENTIFIER, match[0].lower(), 0, start)
        elif kind == "tag":
            yield Token(TokenKind.TAG, match[0][1:].lower(), 0, start)
        elif kind == "number":
            yield Token(TokenKind.NUMBER, match[0], _number(source, match[0].lower(), start), start)
        else:
            close = _MULTILINE_END.search(text, position)
            if close is None:
                raise source.error(start, "multi-line string has no closing line with a single dot")
            value = text[position : close.start()]
            if "\0" in value:
                raise source.error(start, "NUL in a string")
            position = close.end()
            yield Token(TokenKind.STRING, _STUFFED_DOT.sub(".", value), 0, start)
    yield Token(TokenKind.END, "", 0, end)


def _number(source: Source, text: str, position: int) -> int:
    multiplier = _MULTIPLIERS.get(text[-1], 1)
    digits = (text[:-1] if multiplier > 1 else text).lstrip("0")
    value = int(digits or "0") * multiplier if len(digits) <= _MAX_DIGITS else MAX_NUMBER + 1
    if value > MAX_NUMBER:
        raise source.error(position, f"number {shown(text)} is too large, the limit is {MAX_NUMBER}")
    return value


def _complaint(text: str, position: int) -> str:
    sign = text[position]
    if sign == '"':
        return "string is not closed, or holds a NUL"
    if text.startswith("/*", position):
        return "comment is not closed"
    if sign.isdigit():
        return "a number is digits and at most one of K, M, G"
    return f"unexpected character {shown(sign)}"
