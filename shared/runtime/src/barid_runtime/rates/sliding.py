"""Counters of the last hour, by key, that several processes fill and merge.

Each process counts for itself within a period; a count is known by who counted it and only grows, so merging is to take
the larger, and hearing a thing twice, late or never leaves nothing wrong for long. The last hour is the present period
and the part of the one before that is still within it, taken as if it had come evenly.
"""

from collections.abc import Iterable
from typing import NamedTuple

PERIOD = 3600.0
"""Seconds."""

MAX_KEYS = 100_000
"""Keys of a period that are counted, some 300 bytes each. What comes beyond is not limited until the next one: so many
accounts, or networks, are not stopped by counting them."""

Counts = dict[str, dict[str, int]]
"""key → who counted → how many."""


class Count(NamedTuple):
    key: str
    writer: str
    many: int


class Sliding:
    """writer: who counts here, another name for each incarnation."""

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._period = 0
        self._present: Counts = {}
        self._before: Counts = {}
        self._sums: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._changed: set[str] = set()

    def take(self, wants: Iterable[tuple[str, int, int]], now: float) -> str | None:
        """wants: key, how many, and the most within an hour. Counts all of them, and returns None; or counts nothing,
        and returns the first key that would have more. now: epoch seconds."""
        self._turn(now)
        wanted = list(wants)
        present, before = self._sums
        part = 1.0 - (now % PERIOD) / PERIOD
        for key, amount, most in wanted:
            if present.get(key, 0) + before.get(key, 0) * part + amount > most:
                return key
        for key, amount, _ in wanted:
            self._count(key, amount)
        return None

    def rate(self, key: str, now: float) -> float:
        """Within the last hour."""
        self._turn(now)
        part = 1.0 - (now % PERIOD) / PERIOD
        present, before = self._sums
        return present.get(key, 0) + before.get(key, 0) * part

    def merge(self, period: int, told: Count, now: float) -> None:
        """What somebody told. Of a period that is over, or not yet, it is left aside: clocks differ by seconds."""
        self._turn(now)
        behind = self._period - period
        if behind not in (0, 1):
            return
        known = (self._present, self._before)[behind]
        counts = known.get(told.key)
        if counts is None:
            if len(known) >= MAX_KEYS:
                return
            counts = known[told.key] = {}
        if told.many > counts.get(told.writer, 0):
            counts[told.writer] = told.many
            self._sums[behind][told.key] = sum(counts.values())

    def changes(self) -> tuple[int, list[Count]]:
        """The period, and our own counts that have grown since they were asked for."""
        changed, self._changed = self._changed, set()
        return self._period, [Count(key, self._writer, self._present[key][self._writer]) for key in changed]

    def all(self, now: float) -> list[tuple[int, list[Count]]]:
        """All that is known, whoever counted it, by period."""
        self._turn(now)
        return [(self._period, _flat(self._present)), (self._period - 1, _flat(self._before))]

    def _count(self, key: str, amount: int) -> None:
        mine = self._present.get(key)
        if mine is None:
            if len(self._present) >= MAX_KEYS:
                return
            mine = self._present[key] = {}
        mine[self._writer] = mine.get(self._writer, 0) + amount
        sums = self._sums[0]
        sums[key] = sums.get(key, 0) + amount
        self._changed.add(key)

    def _turn(self, now: float) -> None:
        period = int(now // PERIOD)
        if period <= self._period:
            return  # a clock that was set back counts on in the period that was seen
        behind = period - self._period
        self._before = self._present if behind == 1 else {}
        self._present = {}
        self._sums = ({}, self._sums[0] if behind == 1 else {})
        self._period = period
        self._changed = set()


def _flat(known: Counts) -> list[Count]:
    return [Count(key, writer, count) for key, counts in known.items() for writer, count in counts.items()]
