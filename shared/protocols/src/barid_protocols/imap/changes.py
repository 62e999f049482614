"""What travels between a view and the sessions that share it: the columns of a mailbox, and what became of them.

A row is ``(uid, code, modseq)``; ``code`` comes from the :class:`.FlagTable` that view and sessions share, so that the
flags of an event are looked at once, not once a session.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Row = tuple[int, int, int]
"""(uid, code of the flags, modseq)."""

Slices = Sequence[tuple[int, int]]
"""Index ranges (start, stop) into the columns, ascending, apart from each other."""


def page_of(slices: Slices, first: int, stop: int) -> list[tuple[int, int]]:
    """Of the messages in ``slices`` those from position ``first`` to before ``stop``, counted from 0."""
    found: list[tuple[int, int]] = []
    passed = 0
    for start, end in slices:
        low, high = max(start, start + first - passed), min(end, start + stop - passed)
        if low < high:
            found.append((low, high))
        passed += end - start
    return found


@dataclass(frozen=True, slots=True)
class Columns:
    """All messages of a mailbox by ascending UID: ``array('I')``, ``array('I')``, ``array('Q')`` of one length."""

    uids: array[int]
    codes: array[int]
    modseqs: array[int]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Columns:
        columns = cls(array("I"), array("I"), array("Q"))
        for uid, code, modseq in rows:
            columns.uids.append(uid)
            columns.codes.append(code)
            columns.modseqs.append(modseq)
        return columns


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened between two states of a mailbox; ``added`` ascends by UID; ``highest_modseq`` the later one's."""

    highest_modseq: int
    added: Sequence[Row] = ()
    changed: Sequence[Row] = ()
    expunged: Sequence[int] = ()
