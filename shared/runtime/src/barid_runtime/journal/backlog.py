"""What is durable here and the bus doesn't know of yet, in order: mails in memory, and stretches of packs to be read.

A bounded part of it is kept in memory; what is committed beyond that is read again from the packs, so the backlog is
bounded by the disk alone.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .batch import Committed, CommittedMail
from .events import MAX_PAYLOAD
from .inheritance import Unpublished

MEMORY = 8 * 1024 * 1024
"""Bytes of heads kept for the bus: about 8,000 mails, or a second of outage under full load."""


@dataclass(slots=True)
class Batch:
    """Mails in memory. bytes: of their heads."""

    pack: str
    start: int
    end: int
    mails: Sequence[CommittedMail]
    bytes: int


class Backlog:
    """memory: bytes of the heads that are in memory, those on their way to the bus included. waiting: mails in
    memory that aren't on their way."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Batch | Unpublished] = deque()
        self.memory = 0
        self.waiting = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def head(self) -> Batch | Unpublished:
        return self._queue[0]

    def add(self, committed: Committed, size: int) -> None:
        """A batch of our own journal. size: bytes of the heads in it that are owed."""
        if self.memory + size > self._limit:
            last = self._queue[-1] if self._queue else None
            if isinstance(last, Unpublished) and last.pack == committed.pack and last.end == committed.start:
                last.end = committed.end
            else:
                self._queue.append(Unpublished(committed.pack, committed.start, committed.end))
        else:
            self._keep(size, len(committed.mails))
            self._queue.append(Batch(committed.pack, committed.start, committed.end, committed.mails, size))

    def add_stretch(self, stretch: Unpublished) -> None:
        """Of any pack; it is read when its turn comes."""
        self._queue.append(stretch)

    def drop_head(self) -> None:
        """The stretch at the head was read, or can't be."""
        self._queue.popleft()

    def put_first(self, pack: str, start: int, end: int, mails: Sequence[CommittedMail]) -> None:
        """What was read of the stretch at the head goes before the rest of it."""
        size = sum([len(mail.head) for mail in mails])
        self._keep(size, len(mails))
        self._queue.appendleft(Batch(pack, start, end, mails, size))

    def take(self) -> Batch:
        """The batches at the head that follow each other in one pack, as one that fits a message."""
        queue = self._queue
        first = queue.popleft()
        assert isinstance(first, Batch)
        mails: list[CommittedMail] | None = None
        size, end = first.bytes, first.end
        while queue:
            after = queue[0]
            if not isinstance(after, Batch) or after.pack != first.pack or after.start != end:
                break
            if size + after.bytes > MAX_PAYLOAD:
                break
            if mails is None:
                mails = list(first.mails)
            mails += after.mails
            size, end = size + after.bytes, after.end
            queue.popleft()
        taken = first if mails is None else Batch(first.pack, first.start, end, mails, size)
        self.waiting -= len(taken.mails)
        return taken

    def told(self, batch: Batch) -> None:
        """The bus has it."""
        self.memory -= batch.bytes

    def _keep(self, size: int, mails: int) -> None:
        self.memory += size
        self.waiting += mails
