"""From the tree of a SEARCH to a test of one message. Touches no storage: what a test looks at, the host has at hand.

Within an AND the cheap keys run first, so a body is read only where all others let pass.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from typing import Protocol

from barid_protocols.imap.flags import SEEN
from barid_protocols.imap.search import (
    All,
    And,
    BodyContains,
    Comparison,
    DateField,
    HasEmailId,
    HasFlag,
    HasKeyword,
    HeaderContains,
    InNumbers,
    InUids,
    IsRecent,
    Key,
    Larger,
    ModSeqAtLeast,
    Not,
    Older,
    OnDate,
    Or,
    Smaller,
    TextContains,
    Younger,
    cost,
)
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.mime.words import decode_words


class SearchRow(Protocol):
    """One message, as a search sees it. Methods may be slow: they are called last, and only where they decide."""

    @property
    def seq(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def mask(self) -> int: ...
    @property
    def keywords(self) -> frozenset[str]: ...
    @property
    def recent(self) -> bool: ...
    @property
    def modseq(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def received(self) -> int:
        """The internal date in epoch seconds."""

    @property
    def email_id(self) -> str: ...
    @property
    def internal_date(self) -> date: ...
    @property
    def sent_date(self) -> date | None: ...
    def header(self, name: str) -> bytes | None:
        """All values of the field (``name`` in lower case) joined by CRLF, or None if there is no such field."""

    def body_contains(self, needle: str) -> bool:
        """Whether the decoded text of the body holds ``needle``, which is case-folded already."""

    def text_contains(self, needle: str) -> bool:
        """The same for header and body."""


Predicate = Callable[[SearchRow], bool]


def compile_key(key: Key, *, last_number: int, last_uid: int, now: float = 0) -> Predicate:
    """A predicate for ``key``; ``last_number`` and ``last_uid`` are what ``*`` means in this session; ``now`` is in
    epoch seconds."""

    def build(key: Key) -> Predicate:
        match key:
            case All():
                return lambda row: True
            case And(keys):
                return _conjunction([build(inner) for inner in sorted(keys, key=cost)])
            case Or(first, second):
                left, right = map(build, sorted((first, second), key=cost))
                return lambda row: left(row) or right(row)
            case Not(inner):
                negated = build(inner)
                return lambda row: not negated(row)
            case HasFlag(bit, True):
                return lambda row: row.mask & bit != 0
            case HasFlag(bit, _):
                return lambda row: row.mask & bit == 0
            case HasKeyword(name, present):
                return _keyword(name, present)
            case IsRecent(present, unseen):
                if unseen:
                    return lambda row: row.recent and not row.mask & SEEN
                return lambda row: row.recent == present
            case InUids(uids):
                in_uids = _membership(uids, last_uid)
                return lambda row: in_uids(row.uid)
            case InNumbers(numbers):
                in_numbers = _membership(numbers, last_number)
                return lambda row: in_numbers(row.seq)
            case OnDate(field, comparison, day):
                return _date(field, comparison, day)
            case Older(seconds):
                until = now - seconds
                return lambda row: row.received <= until
            case Younger(seconds):
                since = now - seconds
                return lambda row: row.received >= since
            case HasEmailId(identifier):
                return lambda row: row.email_id == identifier
            case Larger(octets):
                return lambda row: row.size > octets
            case Smaller(octets):
                return lambda row: row.size < octets
            case ModSeqAtLeast(modseq):
                return lambda row: row.modseq >= modseq
            case HeaderContains(name, needle):
                return _header(name, needle)
            case BodyContains(needle):
                folded = needle.casefold()
                return lambda row: row.body_contains(folded)
            case TextContains(needle):
                folded = needle.casefold()
                return lambda row: row.text_contains(folded)

    return build(key)


def _conjunction(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda row: first(row) and second(row)

    def every(row: SearchRow) -> bool:
        for test in tests:  # noqa: SIM110 - a generator in all() costs twice as much
            if not test(row):
                return False
        return True

    return every


def _membership(numbers: SequenceSet, last: int) -> Callable[[int], bool]:
    ranges = numbers.resolve(last)
    if len(ranges) == 1:
        low, high = ranges[0]
        return lambda number: low <= number <= high
    lows = [low for low, _ in ranges]
    highs = [high for _, high in ranges]

    def member(number: int) -> bool:
        position = bisect_right(lows, number) - 1
        return position >= 0 and number <= highs[position]

    return member


def _keyword(name: str, present: bool) -> Predicate:
    folded = name.casefold()

    def test(row: SearchRow) -> bool:
        keywords = row.keywords
        found = bool(keywords) and (name in keywords or any(other.casefold() == folded for other in keywords))
        return found == present

    return test


def _date(field: DateField, comparison: Comparison, day: date) -> Predicate:
    def test(row: SearchRow) -> bool:
        value = row.internal_date if field is DateField.INTERNAL else row.sent_date
        if value is None:  # no readable Date field: neither before, on nor since
            return False
        if comparison is Comparison.BEFORE:
            return value < day
        return value == day if comparison is Comparison.ON else value >= day

    return test


def _header(name: str, needle: str) -> Predicate:
    folded = needle.casefold()

    def test(row: SearchRow) -> bool:
        value = row.header(name)
        if value is None:
            return False
        return not folded or folded in decode_words(value).casefold()

    return test
