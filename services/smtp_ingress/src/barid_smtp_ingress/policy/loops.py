"""Mail that goes in circles (RFC 5321 §6.3), told while its sender is still on the line.

Delivery looks for the same, keeps what it finds and tells nobody: a notice would, for a forged field, go to somebody
who never wrote. So this is where a sender hears of it. A mail without one has nobody to tell, and is left to delivery.
"""

import re
from collections.abc import Iterable, Sequence

from barid_contracts.mail import Obligation
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.words import decode_words

from ..settings import MOST_HOPS

MOST_OF_A_FIELD = 2048
"""Octets of a field that are looked at. An address has 320, its encoded words not three times that."""

_FIELD = b"delivered-to"
_TRACE = re.compile(rb"\n(?:(received)|delivered-to)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\n\r?\n")


class TraceFields:
    """Reads the trace fields of a header that is too long to be kept: `feed` it chunks of any cut, then `finish`.

    Holds a chunk and MOST_OF_A_FIELD octets. 0.7 ms of CPU for a megabyte of header.
    """

    __slots__ = ("_block", "_over", "delivered_to", "received")

    def __init__(self) -> None:
        self.received = 0
        self.delivered_to: list[bytes] = []
        """Values as they stand, of the first MOST_HOPS + 1."""
        self._block = b"\n"
        self._over = False

    def feed(self, chunk: bytes) -> None:
        """What follows the header is not looked at."""
        if self._over:
            return
        block = self._block + chunk
        blank = _BLANK_LINE.search(block)
        self._over = blank is not None
        # A field is counted once all that is looked at of it is there, and by where it begins: once.
        horizon = len(block) - MOST_OF_A_FIELD if blank is None else blank.start()
        if horizon > 0:
            self._count(block, horizon)
            block = block[horizon:]
        self._block = b"" if self._over else block

    def finish(self) -> None:
        """The message has come to its end, perhaps within its header."""
        if not self._over:
            self._over = True
            self._count(self._block, len(self._block))
        self._block = b""

    def _count(self, block: bytes, horizon: int) -> None:
        for field in _TRACE.finditer(block):
            if field.start() >= horizon:
                return
            if field[1] is not None:
                self.received += 1
            elif len(self.delivered_to) <= MOST_HOPS:
                self.delivered_to.append(field[2][:MOST_OF_A_FIELD])


def delivered_to(header: HeaderBlock) -> Sequence[bytes]:
    """Values of the Delivered-To fields of a header that was read whole."""
    # 0.15 µs with the call, and nearly no mail has the field.
    return header.all(_FIELD) if _FIELD in header else ()


def was_delivered_to_one(values: Iterable[bytes], obligations: Iterable[Obligation]) -> bool:
    """Some Delivered-To field names an account of the obligations, read as delivery reads it."""
    named = {decode_words(value).strip(" <>\t\r\n").lower() for value in values}
    return any(owed.kind == "account" and owed.address.lower() in named for owed in obligations)
