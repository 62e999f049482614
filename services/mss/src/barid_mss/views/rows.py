"""The columns of one mailbox: UIDs ascending, the codes of their flags, their MODSEQs; 16 octets a message."""

from __future__ import annotations  # array[int] is an annotation only, before Python 3.12

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress

from barid_protocols.imap.changes import Columns, Row

_FEW = 8
"""Up to here entries are cut out one at a time; each cut moves all that follows."""


class MailboxRows:
    __slots__ = ("codes", "modseqs", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.codes = array("I")
        self.modseqs = array("Q")

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def newest(self) -> int:
        """The last UID; 0 for none."""
        return self.uids[-1] if self.uids else 0

    @property
    def columns(self) -> Columns:
        return Columns(self.uids, self.codes, self.modseqs)

    def index_of(self, uid: int) -> int | None:
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def extend(self, uids: array[int], codes: array[int], modseqs: array[int]) -> None:
        """What comes behind all that is here."""
        self.uids.extend(uids)
        self.codes.extend(codes)
        self.modseqs.extend(modseqs)

    def apply(self, added: Iterable[Row], changed: Iterable[Row], expunged: Sequence[int]) -> int:
        """Rows that are here already, and UIDs that are not, change nothing. Returns the newest UID ever seen here."""
        newest = self.newest
        for row in added:
            if row[0] > newest:
                self.uids.append(row[0])
                self.codes.append(row[1])
                self.modseqs.append(row[2])
                newest = row[0]
            else:
                self._set(row)
        for row in changed:
            self._set(row)
        if expunged:
            self._remove(expunged)
        return newest

    def _set(self, row: Row) -> None:
        index = self.index_of(row[0])
        if index is not None and row[2] >= self.modseqs[index]:
            self.codes[index] = row[1]
            self.modseqs[index] = row[2]

    def _remove(self, expunged: Iterable[int]) -> None:
        indexes = [index for uid in expunged if (index := self.index_of(uid)) is not None]
        if len(indexes) <= _FEW:
            for index in sorted(indexes, reverse=True):
                for column in (self.uids, self.codes, self.modseqs):
                    del column[index]
            return
        kept = bytearray(b"\x01") * len(self.uids)
        for index in indexes:
            kept[index] = 0
        self.uids = array("I", compress(self.uids, kept))
        self.codes = array("I", compress(self.codes, kept))
        self.modseqs = array("Q", compress(self.modseqs, kept))
