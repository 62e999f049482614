"""APPEND (RFC 3501 §6.3.11). The message is never held here: it passes as chunks, and the host decides before it comes.

A shape for more than one message (MULTIAPPEND, RFC 3502) is left open: after :class:`AppendEnd` another
:class:`AppendStarted` of the same tag could follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.flags import NO_FLAGS, FlagSet
from barid_protocols.imap.grammar import Cursor


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


@dataclass(frozen=True, slots=True)
class AppendChunk:
    """The next octets of the message. A NO sent now ends the APPEND: the rest is swallowed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All ``size`` octets came and the command ended well: complete it."""


@dataclass(frozen=True, slots=True)
class AppendAborted:
    """The message broke off or was malformed; the client has its answer, if it is still there. Drop what was stored."""


def parse(tag: bytes, name: bytes, cursor: Cursor, size: int) -> AppendStarted | None:
    """``cursor`` stands in the text up to a literal of ``size``; None if that literal is the mailbox name.

    Without any literal (``size`` 0 and text at its end) the message is missing, which the caller reports.
    """
    cursor.space()
    if cursor.next_is(b"{") and cursor.data.find(b"\n", cursor.pos) == -1:
        return None
    mailbox = cursor.mailbox()
    cursor.space()
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
    return AppendStarted(tag, name, mailbox, flags, internaldate, size, binary)
