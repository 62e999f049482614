"""The tokens of RFC 3501 §9, read off one command by compiled expressions and an index.

A :class:`Cursor` stands in the bytes of one whole command, literals included in line. Each method either steps over a
token and returns it, or raises SyntaxProblem and is done for. No method looks back, so time is linear in the command.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from barid_protocols.imap import wire_names
from barid_protocols.imap.dates import parse_date, parse_date_time
from barid_protocols.imap.errors import SyntaxProblem, UserError
from barid_protocols.imap.flags import FlagSet, parse_flags
from barid_protocols.imap.mailbox_names import MAX_PATTERN_LENGTH, normalize
from barid_protocols.imap.sequence import SequenceSet

MAX_LIST_ITEMS = 1024
"""Items of one parenthesised list: flags, fetch items, header fields. The largest seen in the wild are below 100."""

MAX_MODSEQ = (1 << 63) - 1
"""RFC 7162 §7 narrowed ``mod-sequence-value`` to 63 bits."""

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_LIST_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]+")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_QUOTED = re.compile(rb'"([^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*)"')
_ESCAPED = re.compile(rb"\\(.)")
_LITERAL = re.compile(rb"\{([0-9]{1,10})\+?\}\r?\n")
_NUMBER = re.compile(rb"[0-9]{1,20}")
_SEQUENCE = re.compile(rb"\$|[0-9*:,]+")


class Cursor:
    """A reading position in the bytes of one command (without its final CRLF)."""

    __slots__ = ("data", "pos", "utf8")

    def __init__(self, data: bytes, pos: int = 0, *, utf8: bool = False) -> None:
        """``utf8``: mailbox names are UTF-8, not modified UTF-7."""
        self.data = data
        self.pos = pos
        self.utf8 = utf8

    # Single characters

    def at_end(self) -> bool:
        return self.pos >= len(self.data)

    def end(self) -> None:
        if self.pos < len(self.data):
            raise SyntaxProblem("Unexpected text after the command")

    def space(self) -> None:
        if self.data[self.pos : self.pos + 1] != b" ":
            raise SyntaxProblem("Missing argument" if self.at_end() else "Expected a space")
        self.pos += 1

    def accept(self, token: bytes) -> bool:
        """Step over ``token`` if it is next."""
        if self.data.startswith(token, self.pos):
            self.pos += len(token)
            return True
        return False

    def expect(self, token: bytes) -> None:
        if not self.accept(token):
            raise SyntaxProblem(f"Expected {token.decode('ascii')}")

    def next_is(self, token: bytes) -> bool:
        return self.data.startswith(token, self.pos)

    # Words

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        match = pattern.match(self.data, self.pos)
        if match is None:
            raise SyntaxProblem(f"Missing {what}" if self.at_end() else f"Expected {what}")
        self.pos = match.end()
        return match.group()

    def atom(self) -> bytes:
        return self._match(_ATOM, "an atom")

    def keyword(self) -> bytes:
        """An atom of the protocol itself, in capitals."""
        return self._match(_ATOM, "an atom").upper()

    def string(self) -> bytes:
        """Quoted or literal. 8-bit is let through in quoted strings (RFC 9051 allows UTF-8); NUL never is."""
        match = _QUOTED.match(self.data, self.pos)
        if match is not None:
            self.pos = match.end()
            value = match.group(1)
            return _ESCAPED.sub(rb"\1", value) if b"\\" in value else value
        match = _LITERAL.match(self.data, self.pos)
        if match is None:
            raise SyntaxProblem("Missing a string" if self.at_end() else "Invalid string")
        stop = match.end() + int(match.group(1))
        value = self.data[match.end() : stop]
        if stop > len(self.data):
            raise SyntaxProblem("Literal is not complete")
        if b"\0" in value:
            raise SyntaxProblem("NUL is not allowed")
        self.pos = stop
        return value

    def astring(self) -> bytes:
        match = _ASTRING_ATOM.match(self.data, self.pos)
        if match is not None:
            self.pos = match.end()
            return match.group()
        return self.string()

    def nstring(self) -> bytes | None:
        if self.data[self.pos : self.pos + 3].upper() == b"NIL":
            self.pos += 3
            return None
        return self.string()

    # Numbers and sets

    def number(self, maximum: int = 0xFFFF_FFFF) -> int:
        value = int(self._match(_NUMBER, "a number"))
        if value > maximum:
            raise SyntaxProblem("Number is too large")
        return value

    def modseq(self) -> int:
        """``mod-sequence-value``: 0 is allowed where the caller does not forbid it."""
        return self.number(MAX_MODSEQ)

    def sequence_set(self) -> SequenceSet:
        return SequenceSet.parse(self._match(_SEQUENCE, "a sequence set"))

    # Names

    def mailbox(self) -> str:
        """A mailbox name, decoded, INBOX in capitals."""
        value = self.astring()
        if not value:
            raise UserError("Mailbox name is empty", b"CANNOT")
        if len(value) > MAX_PATTERN_LENGTH:
            raise UserError("Mailbox name is too long", b"CANNOT")
        return normalize(wire_names.decode(value, utf8=self.utf8))

    def mailbox_pattern(self) -> str:
        """``list-mailbox``: as a name, but ``*`` and ``%`` are allowed in an atom, and it may be empty."""
        match = _LIST_ATOM.match(self.data, self.pos)
        if match is not None:
            self.pos = match.end()
            value = match.group()
        else:
            value = self.string()
        if len(value) > MAX_PATTERN_LENGTH:
            raise UserError("Pattern is too long", b"LIMIT")
        return wire_names.decode(value, utf8=self.utf8)

    def reference(self) -> str:
        """The first argument of LIST: a name or nothing."""
        value = self.astring()
        if len(value) > MAX_PATTERN_LENGTH:
            raise UserError("Mailbox name is too long", b"CANNOT")
        return wire_names.decode(value, utf8=self.utf8)

    # Flags and dates

    def flags(self) -> FlagSet:
        """``flag-list``, or flags without parentheses up to the end of the command (allowed in STORE)."""
        names: list[bytes] = []
        parenthesised = self.accept(b"(")
        if parenthesised and self.accept(b")"):
            return FlagSet()
        while True:
            names.append(self._match(_FLAG, "a flag"))
            if len(names) > MAX_LIST_ITEMS:
                raise SyntaxProblem("Too many flags")
            if not self.accept(b" "):
                break
        if parenthesised:
            self.expect(b")")
        return parse_flags(names)

    def date(self) -> date:
        return parse_date(self.string() if self.next_is(b'"') else self.atom())

    def date_time(self) -> datetime:
        if not self.next_is(b'"'):
            raise SyntaxProblem("Expected a date-time")
        return parse_date_time(self.string())
