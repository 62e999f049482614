"""A message with 8-bit content, for a host that takes 7 bits only (RFC 6152 §3): the same parts, encoded.

Text becomes quoted-printable, other leaves base64; a multipart or an inner message is only told anew what its parts are
(RFC 2045 §6.4). What was signed or encrypted as a part stays as it is, and then the message can't go. A
DKIM signature breaks, which makes of it a message without one: better than none at all.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp

from barid_protocols.mime.content import OPAQUE
from barid_protocols.mime.headers import split_message
from barid_protocols.mime.parts import Part
from barid_protocols.mime.structure import StructureScanner

_ENCODING = re.compile(rb"(?im)^content-transfer-encoding[ \t]*:.*\n(?:[ \t].*\n)*")
_TYPE = re.compile(rb"(?im)^content-type[ \t]*:")
_VERSION = re.compile(rb"(?im)^mime-version[ \t]*:")
_UNTOUCHABLE = frozenset({b"signed", b"encrypted"})
_WIDE = frozenset({b"8bit", b"binary"})
_PLAIN = _WIDE | {b"7bit"}

Edit = tuple[int, int, bytes]
"""Replace [start, end) of the message."""


def to_seven_bit(message: bytes) -> bytes | None:
    """None if it can't be said in 7 bits: a header that isn't ASCII, something signed, an encoding that was a lie."""
    header, body_start = split_message(message)
    root = StructureScanner.scan(message, header, body_start)
    edits: list[Edit] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if message[part.body_start : part.end].isascii():
            continue
        if part.is_multipart or part.is_message:
            if part.is_multipart and part.content.subtype in _UNTOUCHABLE:
                return None
            if part.encoding not in _PLAIN:
                return None
            if part.encoding in _WIDE:
                edits.append(_header(message, part, b"7bit", root=part is root))
            waiting += part.children
            continue
        if part.encoding not in _PLAIN or part.content is OPAQUE or part.content.maintype == b"message":
            return None
        encoding, body = _encoded(part, message[part.body_start : part.end])
        edits.append(_header(message, part, encoding, root=part is root))
        edits.append((part.body_start, part.end, body))
    result = _apply(message, edits)
    # Left over: a header, a preamble, what stands beyond the limits of the reader.
    return result if result.isascii() else None


def _encoded(part: Part, body: bytes) -> tuple[bytes, bytes]:
    if part.content.maintype == b"text":
        # Soft line breaks are as the first line's end is; a text without one is lent it.
        lent = b"" if b"\n" in body else b"\r\n"
        return b"quoted-printable", b2a_qp(body + lent, istext=True).removesuffix(lent)
    return b"base64", encodebytes(body).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _header(message: bytes, part: Part, encoding: bytes, *, root: bool) -> Edit:
    """The part's header with that encoding, and with what its body now needs to be understood."""
    fields = message[part.header_start : part.body_start].removesuffix(b"\r\n")
    more = b"" if not root or _VERSION.search(fields) else b"MIME-Version: 1.0\r\n"
    if not _TYPE.search(fields):
        # 8-bit text of no stated character set: nobody knows which it is.
        more += b"Content-Type: text/plain; charset=unknown-8bit\r\n"
    more += b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    return part.header_start, part.body_start, _ENCODING.sub(b"", fields) + more


def _apply(message: bytes, edits: list[Edit]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end, text in sorted(edits, key=lambda edit: edit[0]):
        pieces += (message[at:start], text)
        at = end
    pieces.append(message[at:])
    return b"".join(pieces)
