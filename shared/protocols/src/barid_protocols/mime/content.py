"""The Content-* fields of a part (RFC 2045, 2183, 3066, 2557), read tolerantly and given back as they were written.

Parameters keep their raw form, RFC 2231 continuations included: IMAP hands them to the client undecoded.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from barid_protocols.mime.headers import unfold
from barid_protocols.mime.limits import MAX_BOUNDARY, MAX_CONTENT_VALUE, MAX_PARAMETERS

Parameters = tuple[tuple[bytes, bytes], ...]

_TYPE = re.compile(rb"\s*+([!#$%&'*+.^_`{|}~A-Za-z0-9-]++)\s*+/\s*+([!#$%&'*+.^_`{|}~A-Za-z0-9-]++)")
_TOKEN = re.compile(rb"\s*+([!#$%&'*+.^_`{|}~A-Za-z0-9-]++)")
# Unquoted values run to the semicolon: file names with spaces and no quotes are an everyday fault, and so is a first
# parameter without a semicolon before it.
_PARAMETER = re.compile(rb'(?:;|\A)\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"?|([^;"]*+))', re.DOTALL)
_COMMENT = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|\([^()]*+\)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)

_CACHED_VALUE = 128


class ContentType(NamedTuple):
    """Type and subtype in lower case."""

    maintype: bytes
    subtype: bytes
    parameters: Parameters

    def parameter(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.parameters if key.lower() == name), None)


TEXT_PLAIN = ContentType(b"text", b"plain", ((b"charset", b"us-ascii"),))
"""What a part without a valid Content-Type is (RFC 2045 §5.2)."""

MESSAGE = ContentType(b"message", b"rfc822", ())
OPAQUE = ContentType(b"application", b"octet-stream", ())


def _parameters(value: bytes) -> Parameters:
    found: list[tuple[bytes, bytes]] = []
    for match in _PARAMETER.finditer(value):
        name, quoted, bare = match.groups()
        if quoted is None:
            content = bare.strip()
        else:
            content = _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        found.append((name, content))
        if len(found) == MAX_PARAMETERS:
            break
    return tuple(found)


def _prepared(value: bytes) -> bytes:
    value = unfold(value[:MAX_CONTENT_VALUE])
    return _COMMENT.sub(rb"\1", value) if b"(" in value else value


def _parse_content_type(value: bytes) -> ContentType | None:
    value = _prepared(value)
    match = _TYPE.match(value)
    if match is None:
        return None
    return ContentType(match[1].lower(), match[2].lower(), _parameters(value[match.end() :]))


# Messages repeat a few dozen values; a hit costs 0.1 µs, a parse 3. Values with a boundary are not repeated.
_cached_content_type = lru_cache(maxsize=256)(_parse_content_type)


def parse_content_type(value: bytes | None, default: ContentType = TEXT_PLAIN) -> ContentType:
    """``default`` where the field is missing; text/plain where it cannot be understood (RFC 2045 §5.2)."""
    if value is None:
        return default
    if len(value) <= _CACHED_VALUE and b"oundary" not in value:
        return _cached_content_type(value) or TEXT_PLAIN
    return _parse_content_type(value) or TEXT_PLAIN


def parse_disposition(value: bytes | None) -> tuple[bytes, Parameters] | None:
    if value is None:
        return None
    value = _prepared(value)
    match = _TOKEN.match(value)
    return None if match is None else (match[1].lower(), _parameters(value[match.end() :]))


@lru_cache(maxsize=64)
def _cached_encoding(value: bytes) -> bytes:
    match = _TOKEN.match(_prepared(value))
    return match[1].lower() if match else b"7bit"


def parse_encoding(value: bytes | None) -> bytes:
    """Content-Transfer-Encoding in lower case; 7bit if missing or not a token."""
    return b"7bit" if value is None else _cached_encoding(value[:_CACHED_VALUE])


def parse_languages(value: bytes | None) -> tuple[bytes, ...]:
    if value is None:
        return ()
    return tuple(tag.strip() for tag in _prepared(value).split(b",")[:MAX_PARAMETERS] if tag.strip())


def boundary_of(content: ContentType) -> bytes | None:
    """The boundary to look for; None if the multipart cannot be taken apart."""
    boundary = content.parameter(b"boundary")
    if not boundary or len(boundary) > MAX_BOUNDARY:
        return None
    return boundary


def text_value(value: bytes | None) -> bytes | None:
    return unfold(value[:MAX_CONTENT_VALUE]) or None if value is not None else None
