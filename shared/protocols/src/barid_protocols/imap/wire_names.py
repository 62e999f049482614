"""Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 once the client has enabled UTF8=ACCEPT
(RFC 9755 §3) or IMAP4rev2 (RFC 9051 §5.1, Appendix A)."""

from __future__ import annotations

import unicodedata
from collections.abc import Set as AbstractSet

from barid_protocols.imap import quoting, utf7
from barid_protocols.imap.errors import UserError

_WITH_UTF8 = frozenset({b"UTF8=ACCEPT", b"IMAP4REV2"})


def in_utf8(enabled: AbstractSet[bytes]) -> bool:
    """Whether names are UTF-8, by what the client has enabled."""
    return not enabled.isdisjoint(_WITH_UTF8)


def decode(value: bytes, *, utf8: bool) -> str:
    """Raises UserError [CANNOT] for what is no name in that spelling."""
    if not utf8:
        return utf7.decode(value)
    try:
        return unicodedata.normalize("NFC", value.decode("utf-8"))
    except UnicodeDecodeError:
        raise UserError("Mailbox name is not UTF-8", b"CANNOT") from None


def encode(name: str, *, utf8: bool) -> bytes:
    """As ``mailbox`` of the grammar, quoted where it has to be."""
    if not name:
        return b'""'
    if not utf8:
        return quoting.astring(utf7.encode(name))
    if name.isascii():
        return quoting.astring(name.encode("ascii"))
    # Names have no control characters; a quoted string may hold UTF-8 now.
    return b'"%b"' % name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "replace")
