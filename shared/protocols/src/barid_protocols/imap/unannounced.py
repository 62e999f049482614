"""What a session has heard of its mailbox and not told yet, folded: each message stands here once, as it is now.

A change is taken in once, by its MODSEQ: what arrives both with the reply to a STORE and by the view is no news.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from barid_protocols.imap.changes import Changes, Columns, Row


class Unannounced:
    """``applied_modseq``: of the last changes that were taken in. ``expunge_floor``: of the last before the first
    expunge that is held back. Methods are given the announced columns, which they only read."""

    __slots__ = ("added", "applied_modseq", "changed", "expunge_floor", "expunged")

    def __init__(self, highest_modseq: int) -> None:
        self.added: dict[int, Row] = {}
        self.changed: dict[int, Row] = {}
        self.expunged: set[int] = set()
        self.applied_modseq = highest_modseq
        self.expunge_floor = highest_modseq

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.expunged)

    @property
    def settled_modseq(self) -> int:
        """Where a client may resynchronise from, once all but the expunges was told."""
        return self.expunge_floor if self.expunged else self.applied_modseq

    def apply(self, changes: Changes, uids: array[int], modseqs: array[int]) -> None:
        if changes.expunged and not self.expunged:
            self.expunge_floor = self.applied_modseq
        last = uids[-1] if uids else 0
        for row in changes.added:
            if row[0] > last and row[0] not in self.added:
                self.added[row[0]] = row
            else:
                self._note(row, uids, modseqs)
        for row in changes.changed:
            self._note(row, uids, modseqs)
        for uid in changes.expunged:
            if self.added.pop(uid, None) is None and _index_of(uid, uids) is not None:
                self.expunged.add(uid)
                self.changed.pop(uid, None)
        self.applied_modseq = max(self.applied_modseq, changes.highest_modseq)

    def _note(self, row: Row, uids: array[int], modseqs: array[int]) -> None:
        uid, _, modseq = row
        waiting = self.added.get(uid)
        if waiting is not None:
            if modseq > waiting[2]:
                self.added[uid] = row
            return
        index = _index_of(uid, uids)
        if index is None or uid in self.expunged or modseq <= modseqs[index]:
            return
        waiting = self.changed.get(uid)
        if waiting is None or modseq > waiting[2]:
            self.changed[uid] = row

    def difference(self, columns: Columns, highest_modseq: int, uids: array[int]) -> Changes:
        """The changes from what is known here to a whole state of the mailbox."""
        present = set(columns.uids)
        known = [*uids, *self.added]
        last = known[-1] if known else 0
        rows = list(zip(columns.uids, columns.codes, columns.modseqs, strict=True))
        first_new = bisect_left(columns.uids, last + 1)
        return Changes(
            highest_modseq,
            added=rows[first_new:],
            changed=rows[:first_new],
            expunged=[uid for uid in known if uid not in present],
        )


def _index_of(uid: int, uids: array[int]) -> int | None:
    index = bisect_left(uids, uid)
    return index if index < len(uids) and uids[index] == uid else None
