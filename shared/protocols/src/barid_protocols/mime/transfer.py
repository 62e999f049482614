"""Content-Transfer-Encodings undone piece by piece (RFC 2045 §6), for parts too large to hold."""

import binascii

from barid_protocols.mime.decode import decode_transfer

KNOWN = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
"""Of any other nobody can say what its octets mean."""

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))

MAX_LINE = 64 * 1024
"""Octets of a quoted-printable line that are held in the hope of its end; a longer one is cut between two octets."""


class TransferDecoder:
    """All pieces together give what :func:`.decode.decode_transfer` makes of the whole, but for endless lines."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        if self._encoding == "base64":
            letters = self._held + data.translate(None, _NOT_BASE64)
            whole = len(letters) - len(letters) % 4
            self._held = letters[whole:]
            return binascii.a2b_base64(letters[:whole])
        if self._encoding == "quoted-printable":
            text = self._held + data
            end = text.rfind(b"\n") + 1
            if not end and len(text) > MAX_LINE:
                # Not within "=XX".
                sign = text.rfind(b"=", len(text) - 2)
                end = sign if sign >= 0 else len(text)
            self._held = text[end:]
            return binascii.a2b_qp(text[:end])
        return data

    def end(self) -> bytes:
        """What was held back for its end."""
        held, self._held = self._held, b""
        return decode_transfer(held, self._encoding) if held else b""
