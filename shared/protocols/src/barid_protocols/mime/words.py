"""Encoded words (RFC 2047), both ways. Decoding is tolerant and linear; encoding is strict."""

import binascii
import re

from barid_protocols.mime.charsets import decode_charset
from barid_protocols.mime.headers import unfold

# Encoded text without spaces by the RFC; spaces inside Q text are so common a fault that they are taken.
_WORD = re.compile(rb"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([bBqQ])\?([^?\r\n]{0,2000})\?=")

MAX_WORD = 75
"""RFC 2047 §2."""


def decode_words(value: bytes) -> str:
    """The text of a raw field value. Unknown charsets and broken words give what can be read, never an error."""
    value = unfold(value)
    if b"=?" not in value:
        return decode_charset(value, None)
    texts: list[str] = []
    pending = b""
    charset = b""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        position = match.end()
        # White space between two words is not text (RFC 2047 §6.2).
        adjacent = bool(charset) and not between.strip()
        word_charset = match[1].lower()
        if not adjacent or word_charset != charset:
            if pending:
                texts.append(decode_charset(pending, charset))
                pending = b""
            if not adjacent and between:
                texts.append(decode_charset(between, None))
        # Words of one charset are joined before decoding: senders do cut characters in two.
        pending += _decode_word(match[2], match[3])
        charset = word_charset
    if pending:
        texts.append(decode_charset(pending, charset))
    texts.append(decode_charset(value[position:], None))
    return "".join(texts)


def _decode_word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    text = text.rstrip(b"= ")
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return text


def encode_words(text: str) -> bytes:
    """For the value of an unstructured field or a display name: ASCII as it is, else UTF-8 words, folded.

    Control characters, line ends among them, become spaces: a generated header cannot be injected into.
    """
    text = "".join(" " if ord(char) < 32 or ord(char) == 127 else char for char in text)
    if text.isascii() and "=?" not in text:
        return text.encode()
    prefix, suffix = b"=?utf-8?b?", b"?="
    room = (MAX_WORD - len(prefix) - len(suffix)) // 4 * 3
    words: list[bytes] = []
    current = b""
    for char in text:
        encoded = char.encode("utf-8", "replace")
        if len(current) + len(encoded) > room:
            words.append(current)
            current = b""
        current += encoded
    words.append(current)
    return b"\r\n ".join(prefix + binascii.b2a_base64(word, newline=False) + suffix for word in words)
