"""APPEND (RFC 3501 §6.3.11) of one message or several (RFC 3502), and REPLACE (RFC 8508).

Messages are never held here: each passes as chunks, and the host decides before it comes. Of several each begins with
an :class:`AppendStarted` of the same tag; :class:`AppendEnd` comes once, behind the last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.flags import NO_FLAGS, FlagSet
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.sequence import SequenceSet

NAMES = frozenset({b"APPEND", b"REPLACE", b"UID REPLACE"})
"""The commands whose last argument streams."""


@dataclass(frozen=True, slots=True)
class AppendStarted(Command):
    """Answer by ``accept_append()``, or by a NO: then the message is not read, or swallowed, and nothing follows.

    ``internaldate`` is aware, or None for "now". ``size`` is within the limit that was advertised.
    """

    mailbox: str
    flags: FlagSet
    internaldate: datetime | None
    size: int
    binary: bool = False
    """It comes as literal8 (RFC 3516 §4.4)."""
    replaces: SequenceSet | None = None
    """The one message that goes when this one comes (RFC 8508 §3)."""
    follows: bool = False
    """Another message of the command came before it. All are filed, or none (RFC 3502 §3)."""


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """The next octets of the message. A NO sent now ends the APPEND: the rest is swallowed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All octets of all messages came and the command ended well: complete it."""


@dataclass(frozen=True, slots=True)
class AppendAborted:
    """The message broke off or was malformed; the client has its answer, if it is still there. Drop what was stored."""


def parse(tag: bytes, name: bytes, cursor: Cursor, size: int) -> AppendStarted | None:
    """``cursor`` stands in the text up to a literal of ``size``; None if that literal is the mailbox name.

    Without any literal (``size`` 0 and text at its end) the message is missing, which the caller reports.
    """
    cursor.space()
    replaces: SequenceSet | None = None
    if name != b"APPEND":
        replaces = _one_message(cursor)
        cursor.space()
    if cursor.next_is(b"{") and cursor.data.find(b"\n", cursor.pos) == -1:
        return None
    mailbox = cursor.mailbox()
    cursor.space()
    flags, internaldate, binary = _options(cursor)
    return AppendStarted(tag, name, mailbox, flags, internaldate, size, binary, replaces)


def parse_following(first: AppendStarted, cursor: Cursor, size: int) -> AppendStarted:
    """``cursor`` stands behind a message, before what announces the next (RFC 3502 §6)."""
    if first.replaces is not None:
        raise SyntaxProblem("REPLACE takes one message")
    cursor.space()
    flags, internaldate, binary = _options(cursor)
    return replace(first, flags=flags, internaldate=internaldate, size=size, binary=binary, follows=True)


def _one_message(cursor: Cursor) -> SequenceSet:
    found = cursor.sequence_set()
    if found.saved or len(found.ranges) != 1 or found.ranges[0][0] != found.ranges[0][1]:
        raise SyntaxProblem("REPLACE takes one message")
    return found


def _options(cursor: Cursor) -> tuple[FlagSet, datetime | None, bool]:
    flags = NO_FLAGS
    if cursor.next_is(b"("):
        flags = cursor.flags()
        cursor.space()
    internaldate: datetime | None = None
    if cursor.next_is(b'"'):
        internaldate = cursor.date_time()
        cursor.space()
    binary = cursor.accept(b"~")
    cursor.expect(b"{")
    return flags, internaldate, binary
