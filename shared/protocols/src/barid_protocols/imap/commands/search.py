"""SEARCH and UID SEARCH (RFC 3501 §6.4.4) with MODSEQ (RFC 7162 §3.1.5), RETURN (RFC 4731), ``$`` (RFC 5182), OLDER and
YOUNGER (RFC 5032)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from barid_protocols.imap import codes, search
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, canonical_keyword
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.search import Comparison, DateField, Key
from barid_protocols.imap.search_returns import Returns, parse_returns

MAX_DEPTH = 100
"""Nesting of parentheses, NOT and OR. Clients chain a few dozen OR; each level is a frame of ours."""

MAX_KEYS = 2000
"""Each is tested on each message."""

CHARSETS = {b"US-ASCII": "ascii", b"UTF-8": "utf-8"}


@dataclass(frozen=True, slots=True)
class Search(Command):
    """``returns`` None: answer by SEARCH, else by ESEARCH."""

    key: Key
    returns: Returns | None = None
    names_charset: bool = False

    @property
    def by_number(self) -> bool:
        return not self.uid or any(
            isinstance(leaf, search.InNumbers) and not leaf.numbers.saved for leaf in search.leaves(self.key)
        )

    @property
    def enables_condstore(self) -> bool:
        return search.uses_modseq(self.key)


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Search:
    cursor.space()
    returns = parse_returns(cursor)
    charset = "utf-8"
    names_charset = False
    if cursor.data[cursor.pos : cursor.pos + 8].upper() == b"CHARSET ":
        cursor.pos += 8
        names_charset = True
        charset = parse_charset(cursor)
        cursor.space()
    return Search(tag, name, parse_keys(cursor, charset), returns, names_charset)


def parse_charset(cursor: Cursor) -> str:
    asked = CHARSETS.get(cursor.astring().upper())
    if asked is None:
        raise UserError("Search text must be US-ASCII or UTF-8", codes.BADCHARSET)
    return asked


def parse_keys(cursor: Cursor, charset: str) -> Key:
    """All that is left of the command."""
    key = _KeyParser(cursor, charset).keys(0)
    cursor.end()
    return key


class _KeyParser:
    def __init__(self, cursor: Cursor, charset: str) -> None:
        self.cursor = cursor
        self.charset = charset
        self.count = 0

    def keys(self, depth: int) -> Key:
        """One or more keys side by side: all of them must match."""
        keys = [self.key(depth)]
        while self.cursor.accept(b" "):
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else search.And(tuple(keys))

    def key(self, depth: int) -> Key:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_KEYS:
            raise SyntaxProblem("Search is too complex")
        cursor = self.cursor
        if cursor.accept(b"("):
            inner = self.keys(depth + 1)
            cursor.expect(b")")
            return inner
        if cursor.data[cursor.pos : cursor.pos + 1] in _STARTS_A_SET and not cursor.at_end():
            return search.InNumbers(cursor.sequence_set())
        name = cursor.keyword()
        constant = _CONSTANTS.get(name)
        if constant is not None:
            return constant
        if name == b"NOT":
            cursor.space()
            return search.Not(self.key(depth + 1))
        if name == b"OR":
            cursor.space()
            first = self.key(depth + 1)
            cursor.space()
            return search.Or(first, self.key(depth + 1))
        argument = _ARGUMENTS.get(name)
        if argument is None:
            raise SyntaxProblem("Unknown search key")
        cursor.space()
        return argument(self)

    def text(self) -> str:
        try:
            return self.cursor.astring().decode(self.charset)
        except UnicodeDecodeError:
            raise SyntaxProblem("Search text is not in its charset") from None

    def header(self) -> Key:
        name = self.cursor.astring()
        self.cursor.space()
        return search.HeaderContains(name.decode("latin-1").lower(), self.text())

    def seconds(self) -> int:
        seconds = self.cursor.number()
        if not seconds:
            raise SyntaxProblem("An interval is of one second at least")
        return seconds

    def object_id(self) -> str:
        return self.cursor.atom().decode("ascii")

    def thread_id(self) -> Key:
        """No message has one (RFC 8474 §6)."""
        self.object_id()
        return search.Not(search.All())

    def modseq(self) -> Key:
        if self.cursor.next_is(b'"'):  # an entry name and type: all flags of ours share one mod-sequence
            self.cursor.string()
            self.cursor.space()
            if self.cursor.keyword() not in (b"PRIV", b"SHARED", b"ALL"):
                raise SyntaxProblem("Unknown entry type")
            self.cursor.space()
        return search.ModSeqAtLeast(self.cursor.modseq())


def _field(name: str) -> Callable[[_KeyParser], Key]:
    return lambda parser: search.HeaderContains(name, parser.text())


def _date(field: DateField, comparison: Comparison) -> Callable[[_KeyParser], Key]:
    return lambda parser: search.OnDate(field, comparison, parser.cursor.date())


def _keyword(present: bool) -> Callable[[_KeyParser], Key]:
    return lambda parser: search.HasKeyword(canonical_keyword(parser.cursor.atom().decode("ascii")), present)


_STARTS_A_SET = b"0123456789*$"

_CONSTANTS: dict[bytes, Key] = {
    b"ALL": search.All(),
    b"ANSWERED": search.HasFlag(ANSWERED),
    b"DELETED": search.HasFlag(DELETED),
    b"DRAFT": search.HasFlag(DRAFT),
    b"FLAGGED": search.HasFlag(FLAGGED),
    b"SEEN": search.HasFlag(SEEN),
    b"UNANSWERED": search.HasFlag(ANSWERED, False),
    b"UNDELETED": search.HasFlag(DELETED, False),
    b"UNDRAFT": search.HasFlag(DRAFT, False),
    b"UNFLAGGED": search.HasFlag(FLAGGED, False),
    b"UNSEEN": search.HasFlag(SEEN, False),
    b"RECENT": search.IsRecent(),
    b"OLD": search.IsRecent(present=False),
    b"NEW": search.IsRecent(unseen=True),
}

_ARGUMENTS: dict[bytes, Callable[[_KeyParser], Key]] = {
    b"BCC": _field("bcc"),
    b"CC": _field("cc"),
    b"FROM": _field("from"),
    b"SUBJECT": _field("subject"),
    b"TO": _field("to"),
    b"HEADER": _KeyParser.header,
    b"BODY": lambda parser: search.BodyContains(parser.text()),
    b"TEXT": lambda parser: search.TextContains(parser.text()),
    b"BEFORE": _date(DateField.INTERNAL, Comparison.BEFORE),
    b"ON": _date(DateField.INTERNAL, Comparison.ON),
    b"SINCE": _date(DateField.INTERNAL, Comparison.SINCE),
    b"SENTBEFORE": _date(DateField.SENT, Comparison.BEFORE),
    b"SENTON": _date(DateField.SENT, Comparison.ON),
    b"SENTSINCE": _date(DateField.SENT, Comparison.SINCE),
    b"LARGER": lambda parser: search.Larger(parser.cursor.number((1 << 63) - 1)),
    b"SMALLER": lambda parser: search.Smaller(parser.cursor.number((1 << 63) - 1)),
    b"OLDER": lambda parser: search.Older(parser.seconds()),
    b"YOUNGER": lambda parser: search.Younger(parser.seconds()),
    b"EMAILID": lambda parser: search.HasEmailId(parser.object_id()),
    b"THREADID": lambda parser: parser.thread_id(),
    b"KEYWORD": _keyword(True),
    b"UNKEYWORD": _keyword(False),
    b"UID": lambda parser: search.InUids(parser.cursor.sequence_set()),
    b"MODSEQ": _KeyParser.modseq,
}
