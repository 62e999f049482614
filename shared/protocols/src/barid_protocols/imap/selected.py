"""What one session has told its client about the selected mailbox, and what it has yet to tell (RFC 3501 §7.3, §7.4).

The truth lives elsewhere: a view, shared by sessions, hears of every change. Here is the *announced* mailbox, which
only moves when a line is written. Invariants:

1. Message numbers are this session's own: the n-th entry of ``uids``. An entry leaves only by an EXPUNGE line, and
   EXPUNGE is written only when the caller says that the running command allows it (:func:`.states.allows_expunge`).
2. A message that is gone but not yet announced as gone stays addressable: its UID, flags and MODSEQ are answered from
   here as last known. Its body may be missing: then its FETCH line is left out and the command ends in
   ``NO [EXPUNGEISSUED]`` (RFC 5530); a STORE or COPY passes over it and ends the same way. Ask ``is_expunged``.
3. ``highest_modseq`` never passes a change that the client was not told. An EXPUNGE held back holds it back
   (RFC 7162 §3.2.5: else a client that resynchronised from there would keep the message for ever).
4. A change is applied once (:mod:`.unannounced`).

Price: 16 octets a message and session; 5 to 10 µs to take in and announce a new message, 3 µs a change of flags.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress

from barid_protocols.imap import codes as response_codes
from barid_protocols.imap import responses
from barid_protocols.imap.changes import Changes, Columns, Row, Slices
from barid_protocols.imap.fetch_responses import flags_lines
from barid_protocols.imap.flags import SEEN, FlagTable
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.unannounced import Unannounced
from barid_protocols.imap.vanished import vanished_line

_VANISHING = frozenset({b"QRESYNC", b"UIDONLY"})
"""Once either is enabled EXPUNGE is never sent again, VANISHED is (RFC 7162 §3.2.10.2, RFC 9586 §3)."""

_FEW_RUNS = 8
"""Up to here entries are cut out of the arrays one run at a time; a cut moves all that follows."""


class SelectedMailbox:
    """One selected mailbox of one session."""

    def __init__(
        self,
        columns: Columns,
        table: FlagTable,
        *,
        highest_modseq: int,
        recent_from: int | None = None,
        read_only: bool = False,
        condstore: bool = False,
        enabled: AbstractSet[bytes] = frozenset(),
    ) -> None:
        r"""``columns`` are copied. UIDs from ``recent_from`` on are \Recent in this session; None: none is.

        ``enabled``: what the client has enabled, as it is at any time: QRESYNC and UIDONLY change how things are said.
        """
        self.uids = array("I", columns.uids)
        self.codes = array("I", columns.codes)
        self.modseqs = array("Q", columns.modseqs)
        self.table = table
        self.read_only = read_only
        self.condstore = condstore
        self._enabled = enabled
        self.highest_modseq = highest_modseq
        self._recent_from = None if b"IMAP4REV2" in enabled else recent_from
        self._recent_told = self.recent_count
        self._known_codes = set(self.codes)
        self._keywords: set[str] = set()
        for code in self._known_codes:
            self._keywords |= table.keywords(code)
        self._news = Unannounced(highest_modseq)
        self.saved = array("I")
        """The UIDs that ``$`` stands for (RFC 5182), ascending; those that are gone name nothing any more."""

    def __len__(self) -> int:
        """Messages that the client counts."""
        return len(self.uids)

    # Looking

    @property
    def first_recent(self) -> int:
        r"""The index of the first message that is \Recent here."""
        return len(self.uids) if self._recent_from is None else bisect_left(self.uids, self._recent_from)

    @property
    def recent_count(self) -> int:
        return len(self.uids) - self.first_recent

    @property
    def keywords(self) -> frozenset[str]:
        """Those named in the last FLAGS line."""
        return frozenset(self._keywords)

    @property
    def has_news(self) -> bool:
        """Whether ``poll(True)`` would say anything."""
        return bool(self._news)

    @property
    def uidonly(self) -> bool:
        """Whether messages are named by their UIDs and by nothing else (RFC 9586)."""
        return b"UIDONLY" in self._enabled

    @property
    def word(self) -> bytes:
        """The name of FETCH data."""
        return b"UIDFETCH" if self.uidonly else b"FETCH"

    @property
    def rev2(self) -> bool:
        """Whether IMAP4rev2 is spoken: ESEARCH for SEARCH, nothing is recent (RFC 9051 Appendix E)."""
        return b"IMAP4REV2" in self._enabled

    def number(self, index: int) -> int:
        """What a message is called in FETCH data."""
        return self.uids[index] if self.uidonly else index + 1

    def numbers(self, start: int, stop: int) -> Sequence[int]:
        return self.uids[start:stop] if self.uidonly else range(start + 1, stop + 1)

    def index_of(self, uid: int) -> int | None:
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def is_expunged(self, uid: int) -> bool:
        """Whether the message is gone, though the client still counts it."""
        return uid in self._news.expunged

    def slices(self, messages: SequenceSet, *, uid: bool) -> list[tuple[int, int]]:
        """The messages that a command names; SyntaxProblem for a number that the client does not count."""
        if messages.saved:
            return SequenceSet.of(self.saved).slices_of_uids(self.uids)
        return messages.slices_of_uids(self.uids) if uid else messages.slices_of_numbers(len(self.uids))

    def uids_of(self, slices: Slices) -> array[int]:
        found = array("I")
        for start, stop in slices:
            found.extend(self.uids[start:stop])
        return found

    def save(self, uids: Iterable[int]) -> None:
        """What ``$`` stands for from now on."""
        self.saved = array("I", uids)

    def flag_text(self, index: int) -> str:
        r"""The parenthesised flags of one message, \Recent included."""
        code = self.codes[index]
        recent = self._recent_from is not None and self.uids[index] >= self._recent_from
        return self.table.recent_texts[code] if recent else self.table.texts[code]

    def first_unseen(self) -> int | None:
        """The number of the first message without ``\\Seen``."""
        mask = self.table.mask
        for number, code in enumerate(self.codes, 1):
            if not mask(code) & SEEN:
                return number
        return None

    def opening_lines(self, *, uidvalidity: int, uidnext: int, mailboxid: str = "") -> bytes:
        """The untagged part of the reply to SELECT and EXAMINE."""
        return responses.select_lines(
            count=len(self.uids),
            recent_count=None if self.rev2 else self._recent_told,
            uidvalidity=uidvalidity,
            uidnext=uidnext,
            first_unseen=None if self.uidonly or self.rev2 else self.first_unseen(),
            keywords=self._keywords,
            read_only=self.read_only,
            highest_modseq=self.highest_modseq,
            mailboxid=mailboxid,
        )

    # Hearing

    def apply(self, changes: Changes) -> None:
        """Take in what the view learned. Nothing is announced by this."""
        self._news.apply(changes, self.uids, self.modseqs)

    def resync(self, columns: Columns, highest_modseq: int) -> None:
        """The view lost count of its events and was loaded anew: work out the changes from its whole state."""
        self.apply(self._news.difference(columns, highest_modseq, self.uids))

    # Telling

    def poll(self, allow_expunge: bool) -> list[bytes]:
        """Announce all that may be announced now: EXPUNGE, EXISTS, RECENT, FLAGS, FETCH, in this order."""
        news = self._news
        if not news:
            self._settle_modseq()
            return []
        lines: list[bytes] = []
        if allow_expunge and news.expunged:
            lines.append(self._announce_expunged())
        if news.added:
            rows = list(news.added.values())
            news.added.clear()
            self.uids.extend([row[0] for row in rows])
            self.codes.extend([row[1] for row in rows])
            self.modseqs.extend([row[2] for row in rows])
            lines.append(responses.exists(len(self.uids)))
            self._announce_keywords({row[1] for row in rows}, lines)
        recent = self.recent_count
        if recent != self._recent_told and not self.rev2:
            self._recent_told = recent
            lines.append(responses.recent(recent))
        if news.changed:
            changed = [news.changed[uid] for uid in sorted(news.changed)]
            news.changed.clear()
            self._announce_keywords({row[1] for row in changed}, lines)
            indexes = [self._set(row) for row in changed]
            lines.append(self._lines_of(indexes, uid=True, modseq=self.condstore))
        self._settle_modseq()
        return lines

    def _settle_modseq(self) -> None:
        self.highest_modseq = max(self.highest_modseq, self._news.settled_modseq)

    def _announce_expunged(self) -> bytes:
        gone = sorted(self._news.expunged)
        indexes = [bisect_left(self.uids, uid) for uid in gone]
        self._news.expunged.clear()
        runs: list[list[int]] = []
        for index in indexes:
            if runs and runs[-1][1] == index:
                runs[-1][1] = index + 1
            else:
                runs.append([index, index + 1])
        if len(runs) <= _FEW_RUNS:
            for column in (self.uids, self.codes, self.modseqs):
                for start, stop in reversed(runs):
                    del column[start:stop]
        else:
            kept = bytearray(b"\x01") * len(self.uids)
            for index in indexes:
                kept[index] = 0
            self.uids = array("I", compress(self.uids, kept))
            self.codes = array("I", compress(self.codes, kept))
            self.modseqs = array("Q", compress(self.modseqs, kept))
        if not self._enabled.isdisjoint(_VANISHING):
            return vanished_line(SequenceSet.of(gone).ranges)
        # From the highest down, so that no number shifts another.
        return responses.expunge_lines([index + 1 for index in reversed(indexes)])

    def _announce_keywords(self, codes: set[int], lines: list[bytes]) -> None:
        """A FLAGS line before the first FETCH that uses a keyword new to this client (RFC 3501 §7.2.6)."""
        unknown = codes - self._known_codes
        if not unknown:
            return
        self._known_codes |= unknown
        keywords = set().union(*map(self.table.keywords, unknown))
        if not keywords <= self._keywords:
            self._keywords |= keywords
            lines.append(responses.flags_line(sorted(self._keywords)))

    def _set(self, row: Row) -> int:
        index = bisect_left(self.uids, row[0])
        self.codes[index] = row[1]
        self.modseqs[index] = row[2]
        return index

    def _lines_of(self, indexes: Sequence[int], *, uid: bool, modseq: bool) -> bytes:
        return flags_lines(
            [self.number(index) for index in indexes],
            [self.flag_text(index) for index in indexes],
            uids=[self.uids[index] for index in indexes] if uid else None,
            modseqs=[self.modseqs[index] for index in indexes] if modseq else None,
            word=self.word,
        )

    def enable_condstore(self) -> bytes:
        """After a CONDSTORE enabling command: the OK [HIGHESTMODSEQ] due once (RFC 7162 §3.1), or nothing."""
        if self.condstore:
            return b""
        self.condstore = True
        return responses.untagged_ok("Highest mod-sequence", response_codes.highestmodseq(self.highest_modseq))

    def catch_up(self, slices: Slices) -> bytes:
        """Take the newest flags of these messages as told, because the FETCH that follows tells them.

        Call before any FETCH with FLAGS, and send what it gives (a FLAGS line, or nothing) first.
        """
        changed = self._news.changed
        if not changed:
            return b""
        lines: list[bytes] = []
        starts = [start for start, _ in slices]
        for uid, row in list(changed.items()):
            index = bisect_left(self.uids, uid)
            position = bisect_left(starts, index + 1) - 1
            if position >= 0 and index < slices[position][1]:
                self._announce_keywords({row[1]}, lines)
                self._set(row)
                del changed[uid]
        return b"".join(lines)

    def fetch_flags(self, slices: Slices, *, uid: bool, modseq: bool = False, changedsince: int | None = None) -> bytes:
        """The whole answer to a FETCH of FLAGS (and UID, MODSEQ): 10,000 messages in 3 to 7 ms.

        Once CONDSTORE is enabled MODSEQ stands beside FLAGS unasked (RFC 7162 §3.1: in *all* FETCH responses).
        """
        modseq = modseq or self.condstore
        lines = [self.catch_up(slices)]
        if changedsince is not None:
            indexes = [
                index for start, stop in slices for index in range(start, stop) if self.modseqs[index] > changedsince
            ]
            return lines[0] + self._lines_of(indexes, uid=uid, modseq=modseq)
        first_recent = self.first_recent
        for start, stop in slices:
            for low, high, texts in (
                (start, min(stop, first_recent), self.table.texts),
                (max(start, first_recent), stop, self.table.recent_texts),
            ):
                if low < high:
                    lines.append(
                        flags_lines(
                            self.numbers(low, high),
                            map(texts.__getitem__, self.codes[low:high]),
                            uids=self.uids[low:high] if uid else None,
                            modseqs=self.modseqs[low:high] if modseq else None,
                            word=self.word,
                        )
                    )
        return b"".join(lines)

    def take_stored(self, index: int, row: Row, lines: list[bytes]) -> None:
        """Take in what a STORE made of a message, as told by the FETCH line that follows; see :mod:`.stored_flags`."""
        uid, code, modseq = row
        waiting = self._news.changed.get(uid)
        if waiting is not None and waiting[2] <= modseq:
            del self._news.changed[uid]
        if modseq >= self.modseqs[index]:
            self._announce_keywords({code}, lines)
            self.codes[index] = code
            self.modseqs[index] = modseq
