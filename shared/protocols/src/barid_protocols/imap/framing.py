"""From a stream to whole commands: lines, and the literals inside of them (RFC 3501 §4.3, RFC 7888).

The assembler asks its owner about every literal before one octet of it is read, so nothing is ever held that was not
agreed to. What was refused is skipped as it arrives: time is spent on it, memory is not.

A line may end in CRLF or LF: IMAP carries no trust from one hop to the next, so there is nothing to smuggle, and a
person at a terminal types LF.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

MAX_SKIPPED_LINE = 1 << 20
"""Octets of an over-long line that are skipped in the hope of its end; then the peer is not an IMAP client."""

_LITERAL_AT_END = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")
_TAIL = 32
"""Enough of the end of a skipped line to see a literal announced there."""


class InputBuffer:
    """Bytes that arrived and were not consumed; searched once each, however they are cut."""

    __slots__ = ("_data", "_searched")

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        self._data += data

    def peek(self, limit: int) -> bytes:
        return bytes(self._data[:limit])

    def line(self) -> bytes | None:
        """The next line without its end, or None while it is incomplete."""
        end = self._data.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._data)
            return None
        stop = end - 1 if end and self._data[end - 1] == 13 else end
        line = bytes(self._data[:stop])
        del self._data[: end + 1]
        self._searched = 0
        return line

    def take(self, limit: int) -> bytes:
        """Up to ``limit`` octets of what is there."""
        if limit >= len(self._data):
            data = bytes(self._data)
            self.clear()
            return data
        data = bytes(self._data[:limit])
        del self._data[:limit]
        self._searched = 0
        return data

    def clear(self) -> None:
        self._data = bytearray()
        self._searched = 0


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete command, literals in line, without its final line end."""

    text: bytes


@dataclass(frozen=True, slots=True)
class LiteralAsked:
    """``text`` so far, ending in the literal's announcement. Call ``accept``, ``hand_over`` or ``skip_literal`` now."""

    text: bytes
    size: int
    synchronising: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """The command is longer than allowed and is being skipped; ``text`` is its beginning."""

    text: bytes


class Skipped(Enum):
    """END: the refused command is over, answer it. FLOOD: it will not end within reason, hang up."""

    END = auto()
    FLOOD = auto()


class _Mode(Enum):
    LINE = auto()
    LITERAL = auto()
    SKIP_LINE = auto()
    SKIP_LITERAL = auto()


class CommandAssembler:
    """Pull :meth:`next` until it gives None. ``limit`` bounds the text and literals of one command together."""

    def __init__(self, buffer: InputBuffer, limit: int, skip_limit: int) -> None:
        self.buffer = buffer
        self.limit = limit
        self.skip_limit = skip_limit
        self._mode = _Mode.LINE
        self._parts: list[bytes] = []
        self._held = 0
        self._asked = 0
        self._missing = 0
        self._skipped = 0
        self._tail = b""
        self._line_over = False

    @property
    def held(self) -> int:
        """Octets kept of the command so far."""
        return sum(map(len, self._parts))

    def fits(self, size: int) -> bool:
        """Whether a literal of ``size`` keeps the command within its limit."""
        return self._held + size <= self.limit

    def next(self) -> Whole | LiteralAsked | TooLong | Skipped | None:
        while True:
            match self._mode:
                case _Mode.LINE:
                    return self._line()
                case _Mode.LITERAL:
                    if len(self.buffer) < self._missing:
                        return None
                    self._parts.append(self.buffer.take(self._missing))
                    self._mode = _Mode.LINE
                case _Mode.SKIP_LITERAL:
                    self._missing -= len(self.buffer.take(self._missing))
                    if self._missing:
                        return None
                    self._mode = _Mode.SKIP_LINE
                case _Mode.SKIP_LINE:
                    outcome = self._skip_line()
                    if not isinstance(outcome, _Mode):
                        return outcome

    def _line(self) -> Whole | LiteralAsked | TooLong | None:
        line = self.buffer.line()
        if line is None:
            if self._held + len(self.buffer) <= self.limit:
                return None
            beginning = self.buffer.take(self.limit)
            head = b"".join([*self._parts, beginning])
            self._start_skipping(beginning)
            return TooLong(head)
        if self._held + len(line) > self.limit:
            head = b"".join([*self._parts, line[: self.limit]])
            self.skip_rest(line)
            return TooLong(head)
        match = _LITERAL_AT_END.search(line) if line.endswith(b"}") else None
        self._parts.append(line)
        if match is None:
            text = b"".join(self._parts)
            self._reset()
            return Whole(text)
        self._held += len(line) + 2
        self._asked = int(match.group(1))
        return LiteralAsked(b"".join(self._parts), self._asked, not match.group(2))

    def accept(self) -> None:
        """Read the literal just asked about into the command."""
        self._parts.append(b"\r\n")
        self._held += self._asked
        self._missing = self._asked
        self._mode = _Mode.LITERAL

    def hand_over(self) -> None:
        """The owner reads the literal, and what follows it, from the buffer itself."""
        self._reset()

    def skip_literal(self, size: int) -> None:
        """Skip ``size`` octets and the rest of the command; :meth:`next` then says :class:`Skipped`."""
        self._start_skipping(b"")
        self._count_skipped_literal(size)

    def skip_rest(self, line: bytes) -> None:
        """``line`` was consumed and is refused: skip what else belongs to its command."""
        self._start_skipping(line)
        self._line_over = True

    def _start_skipping(self, seen: bytes) -> None:
        self._reset()
        self._tail = seen[-_TAIL:]
        self._mode = _Mode.SKIP_LINE

    def _count_skipped_literal(self, size: int) -> None:
        self._skipped += size
        # Beyond the limit not one octet more is waited for: _skip_line finds the flood at once.
        self._missing = size if self._skipped <= self.skip_limit else 0
        self._mode = _Mode.SKIP_LITERAL

    def _skip_line(self) -> Skipped | _Mode | None:
        if self._skipped > self.skip_limit:
            return Skipped.FLOOD
        if self._line_over:
            self._line_over = False
        else:
            line = self.buffer.line()
            if line is None:
                self._skipped += len(self.buffer)
                self._tail = (self._tail + self.buffer.take(len(self.buffer))[-_TAIL:])[-_TAIL:]
                return Skipped.FLOOD if self._skipped > min(self.skip_limit, MAX_SKIPPED_LINE) else None
            self._tail = (self._tail + line[-_TAIL:])[-_TAIL:]
        match = _LITERAL_AT_END.search(self._tail.removesuffix(b"\r"))
        if match is None or not match.group(2):
            # A synchronising literal will not be sent: its client waits for the answer that comes now.
            self._reset()
            return Skipped.END
        self._tail = b""
        self._count_skipped_literal(int(match.group(1)))
        return _Mode.SKIP_LITERAL

    def _reset(self) -> None:
        self._parts = []
        self._held = self._asked = self._missing = self._skipped = 0
        self._tail = b""
        self._line_over = False
        self._mode = _Mode.LINE
