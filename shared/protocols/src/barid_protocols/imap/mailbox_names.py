"""Mailbox names (RFC 3501 §5.1): hierarchy, INBOX, limits, and the patterns of LIST and LSUB.

Inside, a name is a ``str`` with ``/`` between levels; on the wire see :mod:`.wire_names`.
Invariant: a name that left :func:`normalize` spells the first level ``INBOX`` in capitals or not at all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from barid_protocols.imap.errors import UserError

SEPARATOR = "/"
INBOX = "INBOX"

MAX_NAME_LENGTH = 255
"""Characters of a whole name. Clients build paths and URLs of names; longer ones break them."""

MAX_LEVELS = 32
"""Clients walk the hierarchy by recursion."""

MAX_PATTERN_LENGTH = 1024
"""The matcher keeps one bit a pattern character, so its time grows with name x pattern / 64."""


def normalize(name: str) -> str:
    """INBOX is case-insensitive, also as the parent of others."""
    if name[:5].upper() == INBOX and (len(name) == 5 or name[5] == SEPARATOR):
        return INBOX + name[5:]
    return name


def validate_new(name: str) -> str:
    """The name as it shall be stored, for CREATE and the target of RENAME.

    One trailing separator is dropped (RFC 3501 §6.3.3), the text becomes NFC (RFC 9051 §5.1 advises Net-Unicode), so
    that two names which look the same are the same. Raises UserError [CANNOT] for what no client should have to show.
    """
    name = normalize(unicodedata.normalize("NFC", name.removesuffix(SEPARATOR)))
    if not name:
        raise UserError("Mailbox name is empty", b"CANNOT")
    if len(name) > MAX_NAME_LENGTH:
        raise UserError("Mailbox name is too long", b"CANNOT")
    levels = name.split(SEPARATOR)
    if len(levels) > MAX_LEVELS:
        raise UserError("Mailbox name has too many levels", b"CANNOT")
    for level in levels:
        if not level:
            raise UserError("Mailbox name has an empty level", b"CANNOT")
        if level in (".", "..") or level != level.strip():
            raise UserError("Mailbox name has a level that clients cannot show", b"CANNOT")
    if "*" in name or "%" in name:
        raise UserError("Mailbox name has a wildcard character", b"CANNOT")
    # Cc: controls; Cf: invisible, may reverse the text; Cs: lone surrogates; Zl, Zp: line ends.
    if any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for character in name
        if not " " <= character <= "~"
    ):
        raise UserError("Mailbox name has a control character", b"CANNOT")
    return name


def parents(name: str) -> list[str]:
    """``a/b/c`` → ``["a", "a/b"]``."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]


class Pattern:
    """A LIST pattern: ``*`` matches anything, ``%`` anything but the separator.

    The states of the matching automaton are the bits of one integer, so a name is matched in one pass whatever the
    pattern: ``*a*a*a*b`` costs no more than ``inbox``. The same as a regular expression would backtrack for minutes.
    """

    __slots__ = ("_accept", "_below_inbox", "_inbox", "_literals", "_percents", "_stars", "_wild")

    def __init__(self, reference: str, pattern: str) -> None:
        """``reference`` is put before ``pattern`` as it stands (RFC 3501 §6.3.8 leaves its meaning to us)."""
        whole = normalize(reference + pattern)
        if len(whole) > MAX_PATTERN_LENGTH:
            raise UserError("Pattern is too long", b"LIMIT")
        self._compile(_squeeze(whole))
        # INBOX matches in any case of its letters, a mailbox called "inboxes" does not: so the folded forms of the
        # pattern are tried on INBOX and what is below it, and on nothing else.
        self._inbox = whole.upper() != whole and Pattern("", whole.upper()).matches(INBOX)
        folded = INBOX + whole[5:]
        self._below_inbox = (
            Pattern("", folded) if whole != folded and whole[:5].upper() == INBOX and whole[5:6] in ("*", "%") else None
        )

    def _compile(self, symbols: str) -> None:
        self._literals: dict[str, int] = {}
        self._stars = self._percents = 0
        for position, symbol in enumerate(symbols):
            bit = 1 << position
            if symbol == "*":
                self._stars |= bit
            elif symbol == "%":
                self._percents |= bit
            else:
                self._literals[symbol] = self._literals.get(symbol, 0) | bit
        self._wild = self._stars | self._percents
        self._accept = 1 << len(symbols)

    def matches(self, name: str) -> bool:
        if self._inbox and name == INBOX:
            return True
        if self._below_inbox is not None and name.startswith("INBOX/") and self._below_inbox.matches(name):
            return True
        wild, stars, percents, literals = self._wild, self._stars, self._percents, self._literals
        state = 1 | (1 & wild) << 1
        for character in name:
            stay = stars if character == SEPARATOR else stars | percents
            state = (state & literals.get(character, 0)) << 1 | (state & stay)
            state |= (state & wild) << 1
            if not state:
                return False
        return bool(state & self._accept)

    def select(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if self.matches(name)]


def _squeeze(pattern: str) -> str:
    """Runs of wildcards become one, so that the automaton needs a single step past a wildcard."""
    symbols: list[str] = []
    for symbol in pattern:
        if symbol in "*%" and symbols and symbols[-1] in "*%":
            if symbol == "*":
                symbols[-1] = "*"
        else:
            symbols.append(symbol)
    return "".join(symbols)


def subscribed_matches(subscribed: Iterable[str], pattern: Pattern) -> list[tuple[str, bool]]:
    r"""The lines of LSUB: (name, is subscribed). A parent that matches ``%`` stands for children that do not (§6.3.9).

    Where the flag is False the line carries ``\Noselect``, by which LSUB says *not itself subscribed*.
    """
    names = set(subscribed)
    lines: dict[str, bool] = {}
    for name in names:
        if pattern.matches(name):
            lines[name] = True
            continue
        for parent in parents(name):
            if parent not in names and pattern.matches(parent):
                lines[parent] = False
    return sorted(lines.items())
