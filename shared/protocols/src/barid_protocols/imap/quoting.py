"""Strings on the wire (RFC 3501 §4.3): whatever bytes are stored, the protocol around them stays whole.

Invariant: CR, LF, NUL and 8-bit bytes never leave here outside of a literal, whose length was counted.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_NOT_QUOTABLE = re.compile(rb"[^\x20-\x7e]")
_UNSAFE_TEXT = re.compile(r"[^\x20-\x7e]+")

QUOTED_MAX = 1024
"""Longer strings go as literals: some clients read quoted strings into small buffers."""


def literal(value: bytes) -> bytes:
    """``{n}CRLF`` and the bytes. NUL may not be sent in a literal (RFC 3501 ``CHAR8``): it becomes 0x80.

    That keeps the length, so offsets and sizes told elsewhere stay true.
    """
    if b"\0" in value:
        value = value.replace(b"\0", b"\x80")
    return b"{%d}\r\n%b" % (len(value), value)


def string(value: bytes) -> bytes:
    """A quoted string where that is safe, else a literal."""
    if len(value) > QUOTED_MAX or _NOT_QUOTABLE.search(value) is not None:
        return literal(value)
    if b'"' in value or b"\\" in value:
        value = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % value


def nstring(value: bytes | None) -> bytes:
    """``NIL`` for None, else :func:`string`."""
    return b"NIL" if value is None else string(value)


def astring(value: bytes) -> bytes:
    """An atom where that is possible, else :func:`string`. ``NIL`` is quoted, as an atom it would mean nothing."""
    if _ASTRING.fullmatch(value) is not None and value.upper() != b"NIL":
        return value
    return string(value)


@lru_cache(maxsize=512)
def text(value: str) -> bytes:
    """``resp-text``: printable ASCII, never empty, never starting with ``[`` (which would begin a code)."""
    safe = _UNSAFE_TEXT.sub("?", value).encode("ascii")
    if not safe:
        return b"-"
    return b"(" + safe[1:] if safe.startswith(b"[") else safe
