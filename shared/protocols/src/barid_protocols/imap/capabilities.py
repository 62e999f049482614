"""What is advertised, and when (RFC 3501 §6.1.1, §7.2.1). One table: a capability stands here or is not spoken."""

from __future__ import annotations

from collections.abc import Sequence

from barid_protocols.imap.states import State

BASE = (b"IMAP4rev1", b"IMAP4rev2", b"SASL-IR", b"ID", b"ENABLE")
"""In every state. LITERAL+ or LITERAL- and AUTH= are added by :func:`advertised`."""

AFTER_LOGIN = (
    b"IDLE",
    b"NAMESPACE",
    b"CHILDREN",
    b"SPECIAL-USE",
    b"CREATE-SPECIAL-USE",
    b"LIST-EXTENDED",
    b"LIST-STATUS",
    b"UIDPLUS",
    b"UNSELECT",
    b"MOVE",
    b"CONDSTORE",
    b"QRESYNC",
    b"UIDONLY",
    b"STATUS=SIZE",
    b"ESEARCH",
    b"SEARCHRES",
    b"WITHIN",
    b"SORT",
    b"SORT=DISPLAY",
    b"ESORT",
    b"THREAD=ORDEREDSUBJECT",
    b"THREAD=REFERENCES",
    b"PARTIAL",
    b"OBJECTID",
    b"MULTIAPPEND",
    b"REPLACE",
    b"UTF8=ACCEPT",
    b"COMPRESS=DEFLATE",
    b"UNAUTHENTICATE",
    b"INPROGRESS",
    b"PREVIEW",
    b"BINARY",
)

ENABLEABLE = {name.upper(): name for name in (b"CONDSTORE", b"QRESYNC", b"UIDONLY", b"UTF8=ACCEPT", b"IMAP4rev2")}
"""What ENABLE may switch on (RFC 5161 §3.1), by its name in capitals; other names are passed over in silence."""

LITERAL_MINUS_MAX = 4096
"""RFC 7888 §5."""


def advertised(
    state: State,
    *,
    tls_active: bool,
    tls_available: bool,
    plaintext_allowed: bool,
    mechanisms: Sequence[str],
    literal_plus: bool,
    append_limit: int,
) -> tuple[bytes, ...]:
    """The capability names in the order they are sent."""
    names = [*BASE, b"LITERAL+" if literal_plus else b"LITERAL-"]
    if state is State.NOT_AUTHENTICATED:
        if tls_available and not tls_active:
            names.append(b"STARTTLS")
        if tls_active or plaintext_allowed:
            names.extend(b"AUTH=%b" % mechanism.encode("ascii") for mechanism in mechanisms)
        else:
            names.append(b"LOGINDISABLED")
        return tuple(names)
    names.extend(AFTER_LOGIN)
    names.append(b"APPENDLIMIT=%d" % append_limit)
    return tuple(names)
