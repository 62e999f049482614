"""The wildcards of :matches (RFC 5228 §2.7.1): `*` any characters, `?` one character, backslash quotes.

A pattern is cut at its stars into segments of fixed length. The first is anchored at the start, the last at the end,
and each one between is taken at its leftmost place: that is the shortest match for every star (what RFC 5229 §3.2 asks
of match variables), and no choice ever has to be taken back. So the time is at most length of text times length of
pattern, and in practice one `str.find` per segment; a backtracking expression would take exponential time.
Segments with a `?` do take that product, which their weight pays for.
"""

import re
from functools import lru_cache

from barid_protocols.sieve.limits import KEY_SHIFT

Span = tuple[int, int]


def literal_weight(key: str) -> int:
    """The price of looking for a literal, in comparisons."""
    return 1 + (len(key) >> KEY_SHIFT)


class _Segment:
    """Characters of known number between two stars; `marks` are the offsets of its `?`."""

    __slots__ = ("expression", "length", "literal", "marks", "weight")

    def __init__(self, characters: list[str | None]) -> None:
        self.length = len(characters)
        self.marks = tuple(i for i, c in enumerate(characters) if c is None)
        self.literal = "".join(c for c in characters if c is not None)
        self.expression: re.Pattern[str] | None = None
        if self.marks:
            self.expression = re.compile("".join("." if c is None else re.escape(c) for c in characters), re.DOTALL)
        self.weight = self.length if self.marks else literal_weight(self.literal)

    def find(self, text: str, start: int, end: int) -> int:
        """The leftmost place in text[start:end], or -1."""
        if self.expression is None:
            return text.find(self.literal, start, end)
        match = self.expression.search(text, start, end)
        return -1 if match is None else match.start()

    def stands_at(self, text: str, start: int) -> bool:
        if self.expression is None:
            return text.startswith(self.literal, start)
        return self.expression.match(text, start) is not None


class Wildcard:
    """A compiled pattern. `weight` is its price in comparisons of FUEL_CHARACTERS."""

    __slots__ = ("_minimum", "_segments", "weight")

    def __init__(self, pattern: str) -> None:
        self._segments = [_Segment(characters) for characters in _cut(pattern)]
        self._minimum = sum(segment.length for segment in self._segments)
        self.weight = sum(segment.weight for segment in self._segments)

    def match(self, text: str) -> list[Span] | None:
        """Where each wildcard, from left to right, matched; None if the pattern does not match the whole text."""
        segments = self._segments
        first, last = segments[0], segments[-1]
        if len(text) < self._minimum or not first.stands_at(text, 0):
            return None
        spans = [(mark, mark + 1) for mark in first.marks]
        position = first.length
        if len(segments) == 1:
            return spans if len(text) == position else None
        tail = len(text) - last.length
        for segment in segments[1:-1]:
            found = segment.find(text, position, tail)
            if found < 0:
                return None
            spans.append((position, found))
            spans += [(found + mark, found + mark + 1) for mark in segment.marks]
            position = found + segment.length
        if position > tail or not last.stands_at(text, tail):
            return None
        spans.append((position, tail))
        spans += [(tail + mark, tail + mark + 1) for mark in last.marks]
        return spans


@lru_cache(maxsize=256)  # patterns with variables in them are compiled at run time, often the same again
def compile_wildcard(pattern: str) -> Wildcard:
    return Wildcard(pattern)


def quote_wildcards(text: str) -> str:
    """`text` as a pattern that matches only itself (RFC 5229 §4.1.2)."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _cut(pattern: str) -> list[list[str | None]]:
    segments: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            segments.append([])
        elif character == "?":
            segments[-1].append(None)
        elif character == "\\":
            segments[-1].append(next(characters, "\\"))
        else:
            segments[-1].append(character)
    return segments
