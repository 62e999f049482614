"""One spelling for every address, so that equality is equality of strings.

The canonical form: local part without needless quotes (RFC 5321 §4.1.2), NFC and lower case; domain as A-labels in
lower case (RFC 5890), so that `JOSÉ@Bücher.example` and `josé@xn--bcher-kva.example` are one. RFC 5321 §2.4 would
let local parts differ in case alone; here they never do, because people don't.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

MAX_ADDRESS = 254
"""Octets of an address: a path is at most 256 with its angle brackets (RFC 5321 §4.5.3.1.3)."""

DELIMITER = "+"
"""What stands between a user and a detail (RFC 5233 calls it the separator)."""

POSTMASTER = "postmaster"

MAX_SPLITS = 8
"""Delimiters tried from the right: each costs two look-ups, and a local part of 64 plus signs is nobody's."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_DOT_STRING = re.compile(r"[^\s\x00-\x20\"(),:;<>@\[\\\]\x7f-\x9f.]+(?:\.[^\s\x00-\x20\"(),:;<>@\[\\\]\x7f-\x9f.]+)*")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Address(NamedTuple):
    """Both parts in canonical form."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@lru_cache(maxsize=4096)
def canonical_domain(name: str) -> str | None:
    """The domain as lower-case A-labels, or None if it can't be one. Address literals (`[…]`) are never ours: None."""
    if not name.isascii():
        try:
            name = unicodedata.normalize("NFC", name).encode("idna").decode("ascii")
        except UnicodeError:
            return None
    name = name.lower().removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return None
    return name


def canonical_local(local: str) -> str | None:
    """The local part in canonical form, or None if it can't be one."""
    if local[:1] == '"':
        if len(local) < 3 or local[-1] != '"':
            return None
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    if local.isascii():
        local = local.lower()
    else:
        # Lowering may undo the composition, and composing may uncover another letter to lower: twice is stable.
        for _ in range(2):
            local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    if _DOT_STRING.fullmatch(local):
        return local
    if not local or _CONTROL.search(local):
        return None
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse(text: str) -> Address | None:
    """An address with both parts, or None. Over-long ones are none."""
    local, at, domain = text.rpartition("@")
    if not at or len(text) > MAX_ADDRESS or (not text.isascii() and len(text.encode(errors="replace")) > MAX_ADDRESS):
        return None
    canonical = canonical_local(local), canonical_domain(domain)
    if canonical[0] is None or canonical[1] is None:
        return None
    return Address(canonical[0], canonical[1])


def canonical(text: str) -> str | None:
    """The address in canonical form, as text."""
    address = parse(text)
    return None if address is None else str(address)


def splits(local: str) -> list[tuple[str, str]]:
    """(user, detail) at each delimiter, the longest user first: `a+b+c` gives `a+b`/`c`, then `a`/`b+c`."""
    found: list[tuple[str, str]] = []
    end = local.rfind(DELIMITER)
    while end > 0 and len(found) < MAX_SPLITS:
        found.append((local[:end], local[end + 1 :]))
        end = local.rfind(DELIMITER, 0, end)
    return found


def as_written(text: str, detail: str) -> str:
    """The detail in the letters of the address it was found in: it may name a mailbox, whose case matters."""
    local = text.rpartition("@")[0]
    written = local[len(local) - len(detail) :]
    return written if written.lower() == detail else detail


def without_detail(address: str) -> str:
    """The canonical address up to its first delimiter: what it shares with all that may be the same account."""
    local, _, domain = address.rpartition("@")
    end = local.find(DELIMITER)
    return f"{local[:end]}@{domain}" if end > 0 else address
