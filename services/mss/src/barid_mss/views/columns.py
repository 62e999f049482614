"""From the columns of contracts to the rows of the IMAP core."""

from __future__ import annotations  # array[int] is an annotation only, before Python 3.12

import sys
from array import array
from collections.abc import Sequence

from barid_protocols.imap.flags import ALL_SYSTEM, FlagTable, is_keyword

_FIRST_KEYWORD_BIT = 8
_SWAP = sys.byteorder == "big"


def uid_column(column: bytes) -> array[int]:
    """32 bits each."""
    return _column("I", column)


def wide_column(column: bytes) -> array[int]:
    """64 bits each."""
    return _column("Q", column)


def _column(typecode: str, column: bytes) -> array[int]:
    values = array(typecode)
    values.frombytes(column)
    if _SWAP:
        values.byteswap()
    return values


class FlagCodes:
    """The flags of one mailbox as the store counts them (bits) and as the core does (codes of a FlagTable)."""

    __slots__ = ("_codes", "_keywords", "table")

    def __init__(self) -> None:
        self.table = FlagTable()
        self._keywords: list[str] = []
        self._codes: dict[int, int] = {}

    def learn(self, keywords: Sequence[str]) -> None:
        """The mailbox's keywords, in the order of their bits. There are never fewer than before."""
        if len(keywords) > len(self._keywords):
            self._keywords = list(keywords)
            # A bit may have come before its name.
            self._codes.clear()

    def code(self, flags: int) -> int:
        code = self._codes.get(flags)
        if code is None:
            bits = flags >> _FIRST_KEYWORD_BIT
            names = [name for bit, name in enumerate(self._keywords) if bits >> bit & 1 and is_keyword(name)]
            code = self._codes[flags] = self.table.code(flags & ALL_SYSTEM, names)
        return code

    def codes(self, flags: array[int]) -> array[int]:
        """A whole column; a mailbox holds a few dozen combinations, so each is worked out once."""
        known = {each: self.code(each) for each in set(flags)}
        return array("I", map(known.__getitem__, flags))
