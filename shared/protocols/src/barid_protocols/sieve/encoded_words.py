"""RFC 2047 encoded words: tolerant decoding for tests, strict encoding for the headers of a reply."""

import binascii
import re

_WORD = re.compile(r"=\?([^\s?]{1,60})\?([bBqQ])\?([^?\s]{0,2000}+)\?=")
"""Longer than the 75 characters of §2, because generators overdo it; bounded, so that each try costs a bounded time."""

_NO_CHARSET = re.compile(r"escape|idna|punycode|undefined", re.IGNORECASE)
"""Python codecs that turn bytes into text but are no charset of mail: slow, or warning about their input."""

_BETWEEN = re.compile(r"(?<=\?=)[ \t]++(?==\?)")
_MAX_PIECE = 45  # octets of one encoded word: "=?utf-8?b?" + 60 + "?=" is 72 of the 75 permitted (§2)


def decode_words(text: str) -> str:
    """`text` with its encoded words decoded; what cannot be decoded stays as it is. Linear."""
    return _WORD.sub(_decoded, _BETWEEN.sub("", text))


def encode_words(text: str) -> str:
    """`text` for an unstructured header: itself if printable ASCII of moderate length, else folded encoded words."""
    if text.isascii() and text.isprintable() and len(text) <= 900 and "=?" not in text:  # lines end at 998, RFC 5322
        return text
    pieces: list[bytes] = []
    piece = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > _MAX_PIECE:
            pieces.append(piece)
            piece = b""
        piece += octets
    pieces.append(piece)
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(p, newline=False).decode()}?=" for p in pieces)


def _decoded(match: re.Match[str]) -> str:
    charset, encoding, payload = match.groups()
    charset = charset.partition("*")[0]  # RFC 2231 §5: charset*language
    if _NO_CHARSET.search(charset):
        return match[0]
    raw = payload.encode("utf-8", "surrogatepass")
    try:
        if encoding in "qQ":
            octets = binascii.a2b_qp(raw, header=True)
        else:
            octets = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
        # Only text encodings: `bytes.decode` refuses codecs such as zip or rot13 with a LookupError.
        text = octets.decode(charset, "replace")
    except (binascii.Error, LookupError, ValueError):
        return match[0]
    return text.replace("\r", " ").replace("\n", " ").replace("\0", "")
