"""What a SEARCH shall give back: RETURN (…) and the ESEARCH line (RFC 4731), SAVE and ``$`` (RFC 5182), pages of a
result (RFC 9394)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from barid_protocols.imap import quoting
from barid_protocols.imap.changes import Slices, page_of
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import format_numbers


class Return(Enum):
    MIN = b"MIN"
    MAX = b"MAX"
    ALL = b"ALL"
    COUNT = b"COUNT"
    SAVE = b"SAVE"


@dataclass(frozen=True, slots=True)
class Page:
    """Results ``first`` to ``last``, counted from 1; from the end if both are negative (RFC 9394 §3.1)."""

    first: int
    last: int

    def __bytes__(self) -> bytes:
        return b"%d:%d" % (self.first, self.last)

    def positions(self, count: int) -> tuple[int, int]:
        """(start, stop) in ``count`` results; start may be at or behind stop."""
        low, high = sorted((abs(self.first), abs(self.last)))
        if self.first > 0:
            return low - 1, min(high, count)
        return max(count - high, 0), max(count - low + 1, 0)

    def cut(self, results: Sequence[int]) -> Sequence[int]:
        """What of ``results``, which ascend, stands on the page; may be empty."""
        start, stop = self.positions(len(results))
        return results[start:stop]

    def cut_slices(self, slices: Slices) -> list[tuple[int, int]]:
        """The same for the messages of ``slices``."""
        start, stop = self.positions(sum([end - begin for begin, end in slices]))
        return page_of(slices, start, stop)


def parse_page(cursor: Cursor) -> Page:
    """``partial-range`` (RFC 9394 §4): two numbers of one sign, ``*`` is none."""
    negative = cursor.accept(b"-")
    first = cursor.number()
    cursor.expect(b":")
    if negative:
        cursor.expect(b"-")
    last = cursor.number()
    if not first or not last:
        raise SyntaxProblem("Results are counted from 1")
    return Page(-first, -last) if negative else Page(first, last)


@dataclass(frozen=True, slots=True)
class Returns:
    """The result options of one command."""

    options: frozenset[Return]
    page: Page | None = None

    @property
    def saves(self) -> bool:
        return Return.SAVE in self.options

    def saved(self, results: Sequence[int]) -> list[int]:
        """What of ``results`` (UIDs) ``$`` stands for from now on, ascending (RFC 5182 §2.1, RFC 9394 §3.2)."""
        ends = self.options & {Return.MIN, Return.MAX}
        whole = self.options & {Return.ALL, Return.COUNT}
        if whole or not (ends or self.page) or not results:
            return sorted(results)
        kept = set(self.page.cut(results)) if self.page is not None else set()
        if Return.MIN in ends:
            kept.add(results[0])
        if Return.MAX in ends:
            kept.add(results[-1])
        return sorted(kept)

    def line(self, tag: bytes, results: Sequence[int], modseqs: Sequence[int] | None, *, uid: bool) -> bytes:
        """The ESEARCH line; nothing if nothing but SAVE was asked for.

        ``results`` ascend, or stand in the order of a SORT, whose first is MIN then (RFC 5267 §3). ``modseqs`` are
        theirs, given where the search named MODSEQ (RFC 4731 §3.2).
        """
        if self.options == {Return.SAVE} and self.page is None:
            return b""
        words = [b"* ESEARCH (TAG %b)" % quoting.string(tag)]
        if uid:
            words.append(b"UID")
        if results:
            if Return.MIN in self.options:
                words.append(b"MIN %d" % results[0])
            if Return.MAX in self.options:
                words.append(b"MAX %d" % results[-1])
            if Return.ALL in self.options:
                words.append(b"ALL %b" % format_numbers(results))
        if Return.COUNT in self.options:
            words.append(b"COUNT %d" % len(results))
        if self.page is not None:
            shown = self.page.cut(results)
            words.append(b"PARTIAL (%b %b)" % (bytes(self.page), format_numbers(shown) if shown else b"NIL"))
        if modseqs:
            words.append(b"MODSEQ %d" % self._highest(modseqs))
        return b" ".join(words) + b"\r\n"

    def _highest(self, modseqs: Sequence[int]) -> int:
        """Of the messages that the line names: of all, if it counts or lists them (RFC 4731 §3.2)."""
        if self.options & {Return.ALL, Return.COUNT}:
            return max(modseqs)
        named = [modseqs[0]] if Return.MIN in self.options else []
        if Return.MAX in self.options:
            named.append(modseqs[-1])
        if self.page is not None:
            named.extend(self.page.cut(modseqs))
        return max(named, default=max(modseqs))


EVERYTHING = Returns(frozenset({Return.ALL}))
"""What ``RETURN ()`` asks for (RFC 4731 §3.1)."""


def parse_returns(cursor: Cursor) -> Returns | None:
    """``RETURN (…)`` and the space behind it; None where the command has none."""
    if cursor.data[cursor.pos : cursor.pos + 8].upper() != b"RETURN (":
        return None
    cursor.pos += 8
    options: set[Return] = set()
    page: Page | None = None
    if not cursor.accept(b")"):
        while True:
            name = cursor.keyword()
            if name == b"PARTIAL":
                if page is not None:
                    raise SyntaxProblem("PARTIAL stands there twice")
                cursor.space()
                page = parse_page(cursor)
            else:
                try:
                    options.add(Return(name))
                except ValueError:
                    raise SyntaxProblem("Unknown return option") from None
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    cursor.space()
    if page is not None and Return.ALL in options:
        raise SyntaxProblem("PARTIAL and ALL exclude each other")
    if not options and page is None:
        return EVERYTHING
    return Returns(frozenset(options), page)
