"""Flags of a message (RFC 3501 §2.3.2): system flags as one bitmask, keywords by name.

The numbers are the source of truth for storage and contracts: they are stored, so they never change.
``\\Recent`` belongs to a session and is never stored; :data:`RECENT` exists only while a response is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from barid_protocols.imap.errors import SyntaxProblem, UserError

SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16
ALL_SYSTEM = 31

RECENT = 32
"""Session only: one bit above the stored ones."""

MAX_KEYWORDS_PER_COMMAND = 64
"""No client has been seen to set more than a dozen; each costs room in every copy of the flags."""

MAX_KEYWORD_LENGTH = 64

MAX_KEYWORDS = 55
"""Of one mailbox: bits 8–62 of the integer that is stored. A full mailbox offers no ``\\*`` any more."""

NO_KEYWORDS: frozenset[str] = frozenset()

SYSTEM_FLAG_NAMES = {
    SEEN: r"\Seen",
    ANSWERED: r"\Answered",
    FLAGGED: r"\Flagged",
    DELETED: r"\Deleted",
    DRAFT: r"\Draft",
}
_BIT_OF_NAME = {name.upper().encode(): bit for bit, name in SYSTEM_FLAG_NAMES.items()}

# Keywords are case-insensitive (RFC 5788 §2): the registered ones get one spelling, so that a set holds them once.
_REGISTERED = {
    name.upper(): name
    for name in (
        "$Forwarded",
        "$MDNSent",
        "$SubmitPending",
        "$Submitted",
        "$Junk",
        "$NotJunk",
        "$Phishing",
        "$Important",
        "Junk",
        "NonJunk",
    )
}
_KEYWORD = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")


@dataclass(frozen=True, slots=True)
class FlagSet:
    """System flags and keywords together, as a STORE or an APPEND names them."""

    mask: int = 0
    keywords: frozenset[str] = NO_KEYWORDS

    def __bytes__(self) -> bytes:
        return format_flags(self.mask, self.keywords).encode("ascii")


NO_FLAGS = FlagSet()


def is_keyword(name: str) -> bool:
    """Whether ``name`` may be stored as a keyword: an atom of ASCII. Ask before storing one that came from elsewhere.

    A name that is none would break the lines that it is written into.
    """
    return len(name) <= MAX_KEYWORD_LENGTH and name.isascii() and _KEYWORD.fullmatch(name.encode()) is not None


def canonical_keyword(name: str) -> str:
    """The one spelling of a registered keyword; others stay as they are."""
    return _REGISTERED.get(name.upper(), name)


def parse_flags(names: Iterable[bytes]) -> FlagSet:
    """Flags named by a client. ``\\Recent`` and unknown system flags are refused (RFC 3501 §2.3.2)."""
    mask = 0
    keywords: list[str] = []
    for name in names:
        bit = _BIT_OF_NAME.get(name.upper())
        if bit is not None:
            mask |= bit
        elif name.startswith(b"\\"):
            raise SyntaxProblem("Only the system flags of RFC 3501 may be set")
        elif _KEYWORD.fullmatch(name) is None:
            raise SyntaxProblem("Invalid keyword")
        elif len(name) > MAX_KEYWORD_LENGTH:
            raise UserError("Keyword is too long", b"LIMIT")
        else:
            keywords.append(canonical_keyword(name.decode("ascii")))
    if not keywords:
        return FlagSet(mask)
    if len(keywords) > MAX_KEYWORDS_PER_COMMAND:
        raise UserError("Too many keywords", b"LIMIT")
    return FlagSet(mask, frozenset(keywords))


@lru_cache(maxsize=4096)
def format_flags(mask: int, keywords: frozenset[str] = NO_KEYWORDS) -> str:
    """``(\\Seen $Forwarded)``; bit :data:`RECENT` of ``mask`` adds ``\\Recent``."""
    names = [name for bit, name in SYSTEM_FLAG_NAMES.items() if mask & bit]
    if mask & RECENT:
        names.append(r"\Recent")
    names.extend(sorted(keywords))
    return f"({' '.join(names)})"


class FlagTable:
    """Gives every combination of flags in use a small number, its *code*.

    A mailbox of a million messages holds a few dozen combinations. So a view keeps one ``array('I')`` of codes
    and its FETCH lines are made by indexing, not by formatting. Codes below 32 are the plain bitmask itself;
    others are handed out as they come. A table belongs to one view (its sessions may share it) and dies with it.
    """

    __slots__ = ("_codes", "_masks", "_names", "recent_texts", "texts")

    def __init__(self) -> None:
        self._codes: dict[tuple[int, frozenset[str]], int] = {}
        self._masks: list[int] = []
        self._names: list[frozenset[str]] = []
        self.texts: list[str] = []
        """By code: the parenthesised list. As text, by which FETCH lines are formatted."""
        self.recent_texts: list[str] = []
        r"""By code: the same with \Recent."""
        for mask in range(ALL_SYSTEM + 1):
            self._add(mask, NO_KEYWORDS)

    def _add(self, mask: int, keywords: frozenset[str]) -> int:
        code = len(self.texts)
        self._codes[(mask, keywords)] = code
        self._masks.append(mask)
        self._names.append(keywords)
        self.texts.append(format_flags(mask, keywords))
        self.recent_texts.append(format_flags(mask | RECENT, keywords))
        return code

    def __len__(self) -> int:
        return len(self.texts)

    def code(self, mask: int, keywords: Iterable[str] = NO_KEYWORDS) -> int:
        """The code of a combination; ``mask`` holds stored bits only."""
        if not keywords:
            return mask & ALL_SYSTEM
        names = frozenset(keywords)
        key = (mask & ALL_SYSTEM, names)
        code = self._codes.get(key)
        return self._add(*key) if code is None else code

    def mask(self, code: int) -> int:
        return self._masks[code]

    def keywords(self, code: int) -> frozenset[str]:
        return self._names[code]
