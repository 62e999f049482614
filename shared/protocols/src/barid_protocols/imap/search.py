"""The tree of a SEARCH (RFC 3501 §6.4.4, RFC 7162 §3.1.5, RFC 5032), and what can be said of it beforehand.

The host asks :func:`needs` what a key looks at and loads that; :mod:`.search_predicates` makes a test of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum

from barid_protocols.imap.sequence import SequenceSet


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
class Older:
    """Came ``seconds`` ago or earlier (RFC 5032)."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Younger:
    """Came ``seconds`` ago or later."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Larger:
    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    octets: int


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """RFC 8474 §6."""

    identifier: str


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
    | Older
    | Younger
    | Larger
    | Smaller
    | HasEmailId
    | ModSeqAtLeast
    | HeaderContains
    | BodyContains
    | TextContains
)

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
        case OnDate() | Older() | Younger() | Larger() | Smaller() | HasEmailId():
            return frozenset({Needs.SUMMARY})
        case HeaderContains():
            return frozenset({Needs.HEADER})
        case BodyContains() | TextContains():
            return frozenset({Needs.BODY})
        case _:
            return frozenset()


def leaves(key: Key) -> Iterator[Key]:
    """The keys within AND, OR and NOT."""
    match key:
        case And(keys):
            for inner in keys:
                yield from leaves(inner)
        case Or(first, second):
            yield from leaves(first)
            yield from leaves(second)
        case Not(inner):
            yield from leaves(inner)
        case _:
            yield key


def uses_modseq(key: Key) -> bool:
    """Whether the search enables CONDSTORE and its reply ends in ``(MODSEQ n)`` (RFC 7162 §3.1.5)."""
    return any(isinstance(leaf, ModSeqAtLeast) for leaf in leaves(key))


def with_saved(key: Key, saved: Iterable[int]) -> Key:
    """``key`` with the UIDs of the saved result in place of ``$`` (RFC 5182 §2.1)."""
    match key:
        case And(keys):
            return And(tuple([with_saved(inner, saved) for inner in keys]))
        case Or(first, second):
            return Or(with_saved(first, saved), with_saved(second, saved))
        case Not(inner):
            return Not(with_saved(inner, saved))
        case InUids(numbers) | InNumbers(numbers) if numbers.saved:
            return InUids(SequenceSet.of(saved))
        case _:
            return key


def cost(key: Key) -> int:
    """A rough price of one test, to order the members of an AND."""
    match key:
        case And(keys):
            return sum(map(cost, keys))
        case Or(first, second):
            return cost(first) + cost(second)
        case Not(inner):
            return cost(inner)
        case OnDate() | Older() | Younger() | Larger() | Smaller() | HasEmailId():
            return _COST_OF_SUMMARY
        case HeaderContains():
            return _COST_OF_HEADER
        case BodyContains() | TextContains():
            return _COST_OF_BODY
        case _:
            return 1
