"""The tree of a SEARCH (RFC 3501 §6.4.4, RFC 7162 §3.1.5) and its evaluation, which touches no storage.

The host asks :func:`needs` what a key looks at, loads that, and calls the predicate of :func:`compile_key` for each
:class:`SearchRow`. Within an AND the cheap keys run first, so a body is read only where all others let pass.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

from barid_protocols.imap.flags import SEEN
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
    def internal_date(self) -> date: ...
    @property
    def sent_date(self) -> date | None: ...
    def header(self, name: str) -> bytes | None:
        """All values of the field (``name`` in lower case) joined by CRLF, or None if there is no such field."""

    def body_contains(self, needle: str) -> bool:
        """Whether the decoded text of the body holds ``needle``, which is case-folded already."""

    def text_contains(self, needle: str) -> bool:
        """The same for header and body."""


class Needs(Enum):
    """What a key looks at, apart from what every session knows (UID, number, flags, MODSEQ)."""

    SUMMARY = "summary"
    """Size, internal date, date sent."""
    HEADER = "header"
    BODY = "body"


class DateField(Enum):
    INTERNAL = "internal"
    SENT = "sent"


class Comparison(Enum):
    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class All:
    pass


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    first: Key
    second: Key


@dataclass(frozen=True, slots=True)
class Not:
    key: Key


@dataclass(frozen=True, slots=True)
class HasFlag:
    """``present``: SEEN or UNSEEN."""

    bit: int
    present: bool = True


@dataclass(frozen=True, slots=True)
class HasKeyword:
    name: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class IsRecent:
    """``RECENT``, ``OLD``; with ``unseen``: ``NEW``."""

    present: bool = True
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class InUids:
    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class InNumbers:
    """Numbers beyond the mailbox match nothing: unlike in FETCH, that is an answer."""

    numbers: SequenceSet


@dataclass(frozen=True, slots=True)
class OnDate:
    field: DateField
    comparison: Comparison
    day: date


@dataclass(frozen=True, slots=True)
class Larger:
    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    octets: int


@dataclass(frozen=True, slots=True)
class ModSeqAtLeast:
    modseq: int


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """``name`` in lower case; an empty ``needle`` asks only that the field exists."""

    name: str
    needle: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    needle: str


@dataclass(frozen=True, slots=True)
class TextContains:
    needle: str


Key = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | HasKeyword
    | IsRecent
    | InUids
    | InNumbers
    | OnDate
    | Larger
    | Smaller
    | ModSeqAtLeast
    | HeaderContains
    | BodyContains
    | TextContains
)
Predicate = Callable[[SearchRow], bool]

_COST_OF_SUMMARY, _COST_OF_HEADER, _COST_OF_BODY = 2, 20, 1000


def needs(key: Key) -> frozenset[Needs]:
    """What the host has to be able to give for ``key``; empty when the session snapshot is enough."""
    match key:
        case And(keys):
            return frozenset[Needs]().union(*map(needs, keys))
        case Or(first, second):
            return needs(first) | needs(second)
        case Not(inner):
            return needs(inner)
        case OnDate() | Larger() | Smaller():
            return frozenset({Needs.SUMMARY})
        case HeaderContains():
            return frozenset({Needs.HEADER})
        case BodyContains() | TextContains():
            return frozenset({Needs.BODY})
        case _:
            return frozenset()


def uses_modseq(key: Key) -> bool:
    """Whether the search enables CONDSTORE and its reply ends in ``(MODSEQ n)`` (RFC 7162 §3.1.5)."""
    match key:
        case And(keys):
            return any(map(uses_modseq, keys))
        case Or(first, second):
            return uses_modseq(first) or uses_modseq(second)
        case Not(inner):
            return uses_modseq(inner)
        case _:
            return isinstance(key, ModSeqAtLeast)


def cost(key: Key) -> int:
    """A rough price of one test, to order the members of an AND."""
    match key:
        case And(keys):
            return sum(map(cost, keys))
        case Or(first, second):
            return cost(first) + cost(second)
        case Not(inner):
            return cost(inner)
        case OnDate() | Larger() | Smaller():
            return _COST_OF_SUMMARY
        case HeaderContains():
            return _COST_OF_HEADER
        case BodyContains() | TextContains():
            return _COST_OF_BODY
        case _:
            return 1


def compile_key(key: Key, *, last_number: int, last_uid: int) -> Predicate:
    """A predicate for ``key``; ``last_number`` and ``last_uid`` are what ``*`` means in this session."""

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
