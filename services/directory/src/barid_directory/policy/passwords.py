"""Which passwords will do, and how they are written before they are hashed (RFC 8265 §4.2, OpaqueString)."""

import hashlib
import re
import unicodedata

MAX_PASSWORD = 1_024
"""Octets: longer than any passphrase, short enough that hashing input costs nothing."""

MIN_CHOSEN = 8
"""Characters of a password that anybody chooses here, by NIST SP 800-63B §5.1.1.2: this many, far more than 64 allowed,
no rules of composition. Accounts that are imported bring the password that they had."""

IMPOSSIBLE = f"a password has 1 to {MAX_PASSWORD} octets and no control characters"

_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def prepare(password: str) -> bytes | None:
    """The octets to hash; None if nobody can have this password."""
    password = _composed(password)
    if not password or _CONTROL.search(password):
        return None
    try:
        octets = password.encode()
    except UnicodeEncodeError:
        return None
    return octets if len(octets) <= MAX_PASSWORD else None


def _composed(password: str) -> str:
    if password.isascii():
        return password
    return unicodedata.normalize("NFC", _SPACES.sub(" ", password))


def credential_of(hashed: str) -> str:
    """What others are told instead of the hash, to see that the password is another one now.

    The hash holds a random salt, so this tells nothing of the password. A password that is hashed anew with today's
    parameters counts as changed: that costs a session a new log-in, once.
    """
    return hashlib.sha256(hashed.encode()).hexdigest()[:16]


def complaint(password: str, login: str) -> str | None:
    """Why a user, or an operator for them, may not choose this password, in words; None if they may."""
    if prepare(password) is None:
        return IMPOSSIBLE
    if len(_composed(password)) < MIN_CHOSEN:
        return f"a password has at least {MIN_CHOSEN} characters"
    if password.lower() in (login, login.partition("@")[0]):
        return "a password is not the login"
    return None
