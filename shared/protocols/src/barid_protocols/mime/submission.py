"""The changes that a submission server makes to a header (RFC 6409 §8), on raw octets."""

import re

from barid_protocols.mime.headers import find_header_end

_BCC = re.compile(rb"^(?:resent-)?bcc[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+\n?+", re.MULTILINE | re.IGNORECASE)
_DATE = re.compile(rb"^date[ \t]*+:", re.MULTILINE | re.IGNORECASE)
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*+:", re.MULTILINE | re.IGNORECASE)


def prepare_submission(header: bytes, *, date: bytes, message_id: bytes) -> bytes:
    """The header without Bcc and with Date and Message-ID.

    ``header`` is the whole header block with its blank line, of any size: a Bcc is removed wherever it stands.
    ``date`` and ``message_id`` are the values to add where the field is missing.
    """
    # A look at the lowered block costs 1 µs; the three expressions 20 µs a KB, so they run only on a hint.
    lower = header.lower()
    if b"\nbcc" in lower or b"\nresent-bcc" in lower or lower.startswith((b"bcc", b"resent-bcc")):
        header = _BCC.sub(b"", header)
    added = b""
    if not _has(header, lower, b"date", _DATE):
        added = b"Date: " + date + b"\r\n"
    if not _has(header, lower, b"message-id", _MESSAGE_ID):
        added += b"Message-ID: " + message_id + b"\r\n"
    if not added:
        return header
    end = find_header_end(header)
    if end < 0:
        return (header if not header or header.endswith(b"\n") else header + b"\r\n") + added + b"\r\n"
    blank = end - 2 if header[:end].endswith(b"\r\n") else end - 1
    return header[:blank] + added + header[blank:]


def _has(header: bytes, lower: bytes, name: bytes, field: re.Pattern[bytes]) -> bool:
    if b"\n" + name + b":" in lower:
        return True
    # The rare spellings: first in the block, or with white space before the colon.
    return (b"\n" + name in lower or lower.startswith(name)) and field.search(header) is not None
