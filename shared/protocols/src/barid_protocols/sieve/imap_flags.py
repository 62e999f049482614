"""IMAP flags in scripts (RFC 5232): lists of strings, each of which may hold several flags, to a set of flags."""

import re
from collections.abc import Callable, Iterable

from barid_protocols.sieve.limits import MAX_FLAG_LENGTH, MAX_FLAGS
from barid_protocols.sieve.machine import Run
from barid_protocols.sieve.scope import Scope
from barid_protocols.sieve.signature import Bound, Kind, Tag
from barid_protocols.sieve.templates import constants, expand_all

FLAGS_TAG = Tag(Kind.STRINGS, capability="imap4flags")

_SYSTEM = {name.lower(): name for name in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}
_KEYWORD = re.compile(r"[!#$&'+-\[^-z|}~]+")  # RFC 9051 flag-keyword = atom


def normal_flags(strings: Iterable[str]) -> tuple[str, ...]:
    """Distinct valid flags, ignoring case, in order; anything else is ignored (RFC 5232 §2). At most MAX_FLAGS."""
    found: dict[str, str] = {}
    for string in strings:
        for word in string.split():
            key = word.lower()
            flag = _SYSTEM.get(key)
            if flag is None and len(word) <= MAX_FLAG_LENGTH and _KEYWORD.fullmatch(word):
                flag = word
            if flag is not None and len(found) < MAX_FLAGS:
                found.setdefault(key, flag)
    return tuple(found.values())


def flags_argument(scope: Scope, bound: Bound) -> Callable[[Run], tuple[str, ...]]:
    """The flags of a keep or fileinto: those of :flags, else the internal variable at that moment (RFC 5232 §5)."""
    if not bound.has("flags"):
        return lambda run: run.flags
    texts = scope.texts(bound.tag_strings("flags"))
    known = constants(texts)
    if known is None:
        return lambda run: normal_flags(expand_all(run, texts))
    flags = normal_flags(known)
    return lambda run: flags
