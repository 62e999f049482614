"""A message while it arrives: in memory up to SPOOL_ABOVE, then in a spool file; read once as it passes.

Memory is bounded: SPOOL_ABOVE a message, then what the spool and the scanners hold. A submission's header is edited
before anything is hashed, so it has to be whole by then. Of others, what a summary leaves out of a long header is read
for the trace fields, so that no loop hides behind it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from barid_protocols.mime import Summary, SummaryScanner, summarize
from barid_protocols.mime.headers import find_header_end
from barid_protocols.mime.limits import MAX_HEADER_BLOCK
from barid_protocols.smtp import Reply
from barid_protocols.smtp.replies import STORAGE_FULL, TRY_LATER
from barid_runtime.journal.port import SPOOL_ABOVE, JournalError, JournalFull, JournalWriter, Spool

from ..policy.loops import TraceFields, delivered_to
from ..policy.replies import HEADER_TOO_BIG

Edit = Callable[[bytes], bytes]


def refusal_of(error: JournalError) -> Reply:
    return STORAGE_FULL if isinstance(error, JournalFull) else TRY_LATER


class Arrived(NamedTuple):
    """A whole message. delivered_to: the values of those fields, wherever in the header they stand."""

    summary: Summary
    delivered_to: Sequence[bytes]
    body: bytes | Spool


class Intake:
    """edit: what to make of the header, if anything."""

    __slots__ = ("_chunks", "_edit", "_journal", "_scanner", "_spool", "_trace", "received", "refusal")

    def __init__(self, journal: JournalWriter, edit: Edit | None) -> None:
        self._journal = journal
        self._edit = edit
        self._chunks: list[bytes] = []
        self._spool: Spool | None = None
        self._scanner: SummaryScanner | None = None
        self._trace: TraceFields | None = None
        self.received = 0
        self.refusal: Reply | None = None
        """Why the message can't be taken; the rest of it is swallowed."""

    @property
    def spooled(self) -> bool:
        """There is something that `discard` would have to let go of."""
        return self._spool is not None

    def take(self, chunk: bytes) -> Awaitable[None] | None:
        self.received += len(chunk)
        if self.refusal is not None:
            return None
        if self._spool is not None:
            return self._pass_on(chunk)
        self._chunks.append(chunk)
        return self._spill() if self.received > SPOOL_ABOVE else None

    async def _spill(self) -> None:
        data = self._join()
        end = find_header_end(data)
        if self._edit is not None:
            if end < 0:
                self.refusal = HEADER_TOO_BIG
                return
            data = self._edit(data[:end]) + data[end:]
        elif not 0 <= end <= MAX_HEADER_BLOCK:
            self._trace = TraceFields()
        try:
            self._spool = self._journal.spool()
        except JournalError as error:
            self.refusal = refusal_of(error)
            return
        self._scanner = SummaryScanner()
        await self._pass_on(data)

    async def _pass_on(self, chunk: bytes) -> None:
        assert self._spool is not None and self._scanner is not None
        self._scanner.feed(chunk)
        if self._trace is not None:
            self._trace.feed(chunk)
        try:
            await self._spool.write(chunk)
        except JournalError as error:
            self.refusal = refusal_of(error)
            await self.discard()

    def _join(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def finish(self) -> Arrived:
        """What was read, and the body as it will be kept. Only without a refusal, and once."""
        if self._spool is not None:
            assert self._scanner is not None
            return self._arrived(self._scanner.finish(), self._trace, self._spool)
        data = self._join()
        if self._edit is not None:
            end = find_header_end(data)
            data = self._edit(data) if end < 0 else self._edit(data[:end]) + data[end:]
        summary = summarize(data)
        trace = None
        if summary.header_is_cut:
            trace = TraceFields()
            trace.feed(data[: summary.body_start])
        return self._arrived(summary, trace, data)

    def _arrived(self, summary: Summary, trace: TraceFields | None, body: bytes | Spool) -> Arrived:
        if trace is None:
            return Arrived(summary, delivered_to(summary.header), body)
        trace.finish()
        summary.received_count = trace.received
        return Arrived(summary, trace.delivered_to, body)

    async def discard(self) -> None:
        """Let go of what was kept. Harmless after the journal took it."""
        self._chunks.clear()
        spool, self._spool = self._spool, None
        if spool is not None:
            await spool.discard()
