"""Response codes: the inside of ``[…]`` (RFC 3501 §7.1, RFC 5530, and each extension's own)."""

from __future__ import annotations

from collections.abc import Iterable

from barid_protocols.imap.quoting import string
from barid_protocols.imap.sequence import format_numbers

# RFC 3501 §7.1
ALERT = b"ALERT"
PARSE = b"PARSE"
READ_ONLY = b"READ-ONLY"
READ_WRITE = b"READ-WRITE"
TRYCREATE = b"TRYCREATE"
BADCHARSET = b"BADCHARSET (US-ASCII UTF-8)"

# RFC 5530 §3
UNAVAILABLE = b"UNAVAILABLE"
AUTHENTICATIONFAILED = b"AUTHENTICATIONFAILED"
AUTHORIZATIONFAILED = b"AUTHORIZATIONFAILED"
EXPIRED = b"EXPIRED"
PRIVACYREQUIRED = b"PRIVACYREQUIRED"
CONTACTADMIN = b"CONTACTADMIN"
NOPERM = b"NOPERM"
INUSE = b"INUSE"
EXPUNGEISSUED = b"EXPUNGEISSUED"
CORRUPTION = b"CORRUPTION"
SERVERBUG = b"SERVERBUG"
CLIENTBUG = b"CLIENTBUG"
CANNOT = b"CANNOT"
LIMIT = b"LIMIT"
OVERQUOTA = b"OVERQUOTA"
ALREADYEXISTS = b"ALREADYEXISTS"
NONEXISTENT = b"NONEXISTENT"

HASCHILDREN = b"HASCHILDREN"  # RFC 9051 §7.1
TOOBIG = b"TOOBIG"  # RFC 7889 §4, RFC 4469 §5
UNKNOWNCTE = b"UNKNOWN-CTE"  # RFC 3516 §4.3
UIDNOTSTICKY = b"UIDNOTSTICKY"  # RFC 4315 §3
NOMODSEQ = b"NOMODSEQ"  # RFC 7162 §3.1.2.2
UIDREQUIRED = b"UIDREQUIRED"  # RFC 9586 §3
COMPRESSIONACTIVE = b"COMPRESSIONACTIVE"  # RFC 4978 §3
USEATTR = b"USEATTR"  # RFC 6154 §3
CLOSED = b"CLOSED"  # RFC 7162 §3.2.11


def unseen(number: int) -> bytes:
    return b"UNSEEN %d" % number


def uidnext(uid: int) -> bytes:
    return b"UIDNEXT %d" % uid


def uidvalidity(value: int) -> bytes:
    return b"UIDVALIDITY %d" % value


def permanentflags(names: Iterable[bytes]) -> bytes:
    r"""``names`` as the client may set them for ever; ``\*`` says that it may make new keywords."""
    return b"PERMANENTFLAGS (%b)" % b" ".join(names)


def highestmodseq(modseq: int) -> bytes:
    return b"HIGHESTMODSEQ %d" % modseq


def inprogress(tag: bytes, done: int, goal: int | None) -> bytes:
    """RFC 9585 §4: messages looked at so far, and how many there are to look at."""
    return b"INPROGRESS (%b %d %b)" % (string(tag), done, b"NIL" if goal is None else b"%d" % goal)


def mailboxid(identifier: str) -> bytes:
    """RFC 8474 §4.1, §4.2."""
    return b"MAILBOXID (%b)" % identifier.encode("ascii")


def modified(numbers: Iterable[int]) -> bytes:
    """What a conditional STORE left alone (RFC 7162 §3.1.3): sorted UIDs or message numbers."""
    return b"MODIFIED %b" % format_numbers(numbers)


def appenduid(validity: int, uids: Iterable[int]) -> bytes:
    """RFC 4315 §3; several UIDs once MULTIAPPEND is spoken."""
    return b"APPENDUID %d %b" % (validity, format_numbers(uids))


def copyuid(validity: int, sources: Iterable[int], targets: Iterable[int]) -> bytes:
    """RFC 4315 §3: both sorted ascending, of one length, the n-th source became the n-th target."""
    return b"COPYUID %d %b %b" % (validity, format_numbers(sources), format_numbers(targets))
