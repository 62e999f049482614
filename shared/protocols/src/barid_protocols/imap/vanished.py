"""VANISHED (EARLIER): what went since a client was last here (RFC 7162 §3.2.5, §3.2.6, §3.2.10).

Told are messages that the client may still know and that this session does not count. What the session still counts and
has yet to announce as gone is told by VANISHED without EARLIER, and by nothing else.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from barid_protocols.imap.sequence import SequenceSet

MAX_MATCHES = 16_384
"""Pairs of number and UID that a client gives to show what it knows; more than fit into a command."""

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Resync:
    """The QRESYNC parameter of SELECT (§3.2.5). ``known`` None: all. ``numbers`` and ``uids``: of messages that the
    client knows, pairwise (§3.2.5.2)."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None = None
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None

    def known_through(self, uids: Sequence[int]) -> int:
        """The last UID up to which client and mailbox agree; 0 where nothing shows it.

        If the n-th message has the same UID for both, both count the same messages before it, for none came between.
        """
        if self.numbers is None or self.uids is None:
            return 0
        through = 0
        for number, uid in islice(zip(_each(self.numbers), _each(self.uids), strict=False), MAX_MATCHES):
            if number > len(uids) or uids[number - 1] != uid:
                break
            through = uid
        return through


def vanished_line(ranges: Iterable[Range], *, earlier: bool = False) -> bytes:
    """The untagged line; nothing if nothing vanished."""
    named = bytes(SequenceSet(tuple(ranges)))
    if not named:
        return b""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if earlier else b"", named)


def vanished(
    uids: Sequence[int], expunged: Iterable[int] | None, known: SequenceSet | None, *, uidnext: int, above: int = 0
) -> list[Range]:
    """What of ``known`` went: those of ``expunged``, or, where nobody remembers (None), all that is not in ``uids``.

    ``uids``: what the session counts, ascending. ``above``: the client knows all that happened up to this UID.
    """
    last = uidnext - 1
    gone = _gaps(uids, last) if expunged is None else _absent(uids, expunged)
    wanted = [(1, last)] if known is None else known.resolve(last)
    return list(_common(gone, [(max(low, above + 1), high) for low, high in wanted]))


def _gaps(uids: Sequence[int], last: int) -> Iterator[Range]:
    before = 0
    for uid in uids:
        if uid > before + 1:
            yield before + 1, uid - 1
        before = uid
    if last > before:
        yield before + 1, last


def _absent(uids: Sequence[int], expunged: Iterable[int]) -> Iterator[Range]:
    gone = [uid for uid in expunged if bisect_left(uids, uid) == bisect_right(uids, uid)]
    yield from SequenceSet.of(gone).ranges


def _common(first: Iterable[Range], second: Sequence[Range]) -> Iterator[Range]:
    at = 0
    for low, high in first:
        while at < len(second) and second[at][1] < low:
            at += 1
        here = at
        while here < len(second) and second[here][0] <= high:
            start, stop = max(low, second[here][0]), min(high, second[here][1])
            if start <= stop:
                yield start, stop
            here += 1


def _each(numbers: SequenceSet) -> Iterator[int]:
    for low, high in numbers.ranges:
        yield from range(low, high + 1)
