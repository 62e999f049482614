"""Modified UTF-7 (RFC 3501 §5.1.3), strict: each name has exactly one encoding, and only that one is accepted.

A lenient decoder would let two byte strings name one mailbox, or one name reach checks that its other spelling evades.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from barid_protocols.imap.errors import UserError

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_PLAIN = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_UNENCODED = re.compile(r"[^\x20-\x7e]+|&")


def encode(name: str) -> bytes:
    """The wire form of ``name``; raises UserError for a lone surrogate."""
    if name.isascii() and "&" not in name and name.isprintable():
        return name.encode("ascii")
    try:
        return _UNENCODED.sub(_shift, name).encode("ascii")
    except UnicodeEncodeError:
        raise UserError("Mailbox name is not Unicode", b"CANNOT") from None


def _shift(match: re.Match[str]) -> str:
    run = match.group()
    if run == "&":
        return "&-"
    packed = b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode('ascii')}-"


def decode(value: bytes) -> str:
    """The name written by ``value``; raises UserError unless it is the one right encoding of that name."""
    if b"&" not in value:
        if _PLAIN.fullmatch(value) is None:
            raise _wrong()
        return value.decode("ascii")
    pieces: list[str] = []
    position = 0
    for match in _SHIFTED.finditer(value):
        pieces.append(_plain(value[position : match.start()]))
        packed = match.group(1).replace(b",", b"/")
        try:
            pieces.append(
                b64decode(packed + b"=" * (-len(packed) % 4), validate=True).decode("utf-16-be") if packed else "&"
            )
        except (Base64Error, UnicodeDecodeError):
            raise _wrong() from None
        position = match.end()
    pieces.append(_plain(value[position:]))
    name = "".join(pieces)
    # Catches ASCII inside of a shift, stray pad bits, and two shifts side by side, without a rule for each.
    if encode(name) != value:
        raise _wrong()
    return name


def _plain(value: bytes) -> str:
    if _PLAIN.fullmatch(value) is None:
        raise _wrong()
    return value.decode("ascii")


def _wrong() -> UserError:
    return UserError("Mailbox name is not modified UTF-7", b"CANNOT")
