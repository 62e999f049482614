"""API keys: compared by their SHA-256, in constant time, all of them at every request."""

import hashlib
import hmac
from collections.abc import Iterable
from enum import Enum

KEY_MOST = 512
"""Characters of a key that are looked at; longer ones are nobody's."""


class Scope(Enum):
    """What a key may do."""

    READ = "read"
    FULL = "full"


def hash_of(key: str) -> bytes:
    # A plain hash is enough: keys are long random strings, nobody guesses them.
    return hashlib.sha256(key.encode()).digest()


def fingerprint(key: str | None) -> str:
    """What the log may tell of a key."""
    return hash_of(key).hex()[:8] if key else ""


class Keys:
    """Those who may come in, by the hashes of their keys. A key in both sets may do everything."""

    def __init__(self, full: Iterable[bytes], readers: Iterable[bytes] = ()) -> None:
        self._known = [(digest, Scope.READ) for digest in readers] + [(digest, Scope.FULL) for digest in full]

    def scope_of(self, key: str) -> Scope | None:
        """None: not one of ours."""
        if not key or len(key) > KEY_MOST:
            return None
        digest = hash_of(key)
        found: Scope | None = None
        for known, scope in self._known:
            if hmac.compare_digest(known, digest):
                found = scope
        return found


def bearer(authorization: str) -> str:
    """The key in an Authorization field (RFC 6750 §2.1), `""` if there is none."""
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
