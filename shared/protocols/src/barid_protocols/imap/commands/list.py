"""LIST and LSUB (RFC 3501 §6.3.8, §6.3.9), LIST with options (RFC 5258), STATUS in LIST (RFC 5819)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.commands.status import HIGHESTMODSEQ, parse_status_items
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.mailbox_names import Pattern

SUBSCRIBED = b"SUBSCRIBED"
REMOTE = b"REMOTE"
RECURSIVEMATCH = b"RECURSIVEMATCH"
SPECIAL_USE = b"SPECIAL-USE"
CHILDREN = b"CHILDREN"
STATUS = b"STATUS"

SELECTIONS = frozenset({SUBSCRIBED, REMOTE, RECURSIVEMATCH, SPECIAL_USE})
BASE_SELECTIONS = frozenset({SUBSCRIBED, SPECIAL_USE})
"""Those that a child can match for its parent's CHILDINFO (RFC 5258 §6, RFC 6154 §6)."""
RETURNS = frozenset({SUBSCRIBED, CHILDREN, SPECIAL_USE, STATUS})

MAX_PATTERNS = 64
"""Each is tried on each name."""


@dataclass(frozen=True, slots=True)
class List(Command):
    """``status``: the items of RETURN (STATUS …). ``extended``: any option or a list of patterns was given."""

    reference: str
    patterns: tuple[str, ...]
    selections: frozenset[bytes] = frozenset()
    returns: frozenset[bytes] = frozenset()
    status: tuple[bytes, ...] = ()
    extended: bool = False

    @property
    def lsub(self) -> bool:
        """See :func:`.mailbox_names.subscribed_matches`."""
        return self.name == b"LSUB"

    @property
    def asks_separator(self) -> bool:
        """Answer :func:`.responses.hierarchy_line` and nothing else (RFC 3501 §6.3.8)."""
        return not self.extended and not self.lsub and self.patterns == ("",)

    @property
    def enables_condstore(self) -> bool:
        return HIGHESTMODSEQ in self.status

    def matchers(self) -> list[Pattern]:
        return [Pattern(self.reference, pattern) for pattern in self.patterns if pattern or not self.extended]


def parse(tag: bytes, name: bytes, cursor: Cursor) -> List:
    cursor.space()
    if name == b"LSUB":
        reference = cursor.reference()
        cursor.space()
        pattern = cursor.mailbox_pattern()
        cursor.end()
        return List(tag, name, reference, (pattern,))
    selections: frozenset[bytes] | None = None
    if cursor.accept(b"("):
        selections = _selections(cursor)
        cursor.space()
    reference = cursor.reference()
    cursor.space()
    several = cursor.accept(b"(")
    patterns = _patterns(cursor) if several else (cursor.mailbox_pattern(),)
    returns: frozenset[bytes] | None = None
    status: tuple[bytes, ...] = ()
    if not cursor.at_end():
        cursor.space()
        if cursor.keyword() != b"RETURN":
            raise SyntaxProblem("Expected RETURN")
        cursor.space()
        cursor.expect(b"(")
        returns, status = _returns(cursor)
    cursor.end()
    return List(
        tag,
        name,
        reference,
        patterns,
        selections or frozenset(),
        returns or frozenset(),
        status,
        extended=several or selections is not None or returns is not None,
    )


def _patterns(cursor: Cursor) -> tuple[str, ...]:
    patterns = [cursor.mailbox_pattern()]
    while cursor.accept(b" "):
        patterns.append(cursor.mailbox_pattern())
        if len(patterns) > MAX_PATTERNS:
            raise UserError("Too many patterns", b"LIMIT")
    cursor.expect(b")")
    return tuple(patterns)


def _selections(cursor: Cursor) -> frozenset[bytes]:
    options: set[bytes] = set()
    if not cursor.accept(b")"):
        while True:
            option = cursor.keyword()
            if option not in SELECTIONS:
                raise SyntaxProblem("Unknown selection option")
            options.add(option)
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    if RECURSIVEMATCH in options and not options & BASE_SELECTIONS:
        raise SyntaxProblem("RECURSIVEMATCH needs something to match")
    return frozenset(options)


def _returns(cursor: Cursor) -> tuple[frozenset[bytes], tuple[bytes, ...]]:
    options: set[bytes] = set()
    status: tuple[bytes, ...] = ()
    if not cursor.accept(b")"):
        while True:
            option = cursor.keyword()
            if option not in RETURNS:
                raise SyntaxProblem("Unknown return option")
            options.add(option)
            if option == STATUS:
                cursor.space()
                status = parse_status_items(cursor)
            if not cursor.accept(b" "):
                break
        cursor.expect(b")")
    return frozenset(options), status
