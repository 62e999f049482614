"""ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.2), and xtext (RFC 3461 §4)."""

import re

from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import Refusal

# esmtp-value is %d33-60 / %d62-126, and UTF-8 beside it (RFC 6531 §3.3).
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~\x80-\xff]++))?+")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*+")
_HEX = re.compile(rb"\+([0-9A-F]{2})")


def parse_parameters(rest: bytes) -> list[tuple[bytes, bytes | None]]:
    """``rest`` is what follows the path. Names come in upper case. Raises Refusal for bad syntax and repetition."""
    if not rest.startswith(b" "):
        raise Refusal(replies.BAD_ARGUMENT)
    found: dict[bytes, bytes | None] = {}
    # Spaces only: a bare CR or LF must not pass for white space.
    for word in filter(None, rest.split(b" ")):
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None:
            raise Refusal(replies.BAD_PARAMETER)
        name = parameter[1].upper()
        if name in found:
            raise Refusal(replies.BAD_PARAMETER)
        found[name] = parameter[2]
    return list(found.items())


def decode_xtext(value: bytes) -> str | None:
    """None if it is no xtext, or hides a control character or bytes that are not UTF-8."""
    if not _XTEXT.fullmatch(value):
        return None
    try:
        text = _HEX.sub(lambda match: bytes((int(match[1], 16),)), value).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
