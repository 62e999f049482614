"""Command lines out of a stream of any cut, within limits: what is too long is passed over, never held."""

import re

MAX_LINE = 255
"""Octets of a command with its line end (RFC 2449 §4)."""

MAX_SKIPPED = 64 * 1024
"""Octets of an over-long line that are passed over; who sends more does not speak POP3."""

MAX_BUFFERED = 64 * 1024
"""Pipelined commands that wait: 8,000 RETRs."""

_TLS_RECORD = b"\x16\x03"
_HTTP = re.compile(rb"(?:GET|POST|HEAD|PUT|OPTIONS|DELETE|CONNECT|PATCH|TRACE|PRI) \S+ HTTP/")


class TooLong(Exception):
    """A line was longer than allowed; all of it is gone."""


class Flood(Exception):
    """A line that does not end within reason: hang up."""


class LineReader:
    """Holds at most MAX_BUFFERED and one read, if its owner stops reading while ``full``."""

    __slots__ = ("_buffer", "_skipped")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipped = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def clear(self) -> None:
        self._buffer.clear()

    @property
    def full(self) -> bool:
        return len(self._buffer) >= MAX_BUFFERED

    def begins_with_tls(self) -> bool | None:
        """Whether the first octets are a TLS record; None while there are too few to tell."""
        buffer = self._buffer
        if len(buffer) < len(_TLS_RECORD) and _TLS_RECORD.startswith(buffer):
            return None
        return buffer.startswith(_TLS_RECORD)

    def next(self, limit: int) -> bytes | None:
        """The next line without its end; None while there is none. limit: octets with its end.

        Raises TooLong once for each line beyond it, at its end; Flood.
        """
        buffer = self._buffer
        end = buffer.find(b"\n", 0, MAX_BUFFERED)
        if end < 0:
            if self._skipped or len(buffer) > limit:
                self._skipped += len(buffer)
                buffer.clear()
                if self._skipped > MAX_SKIPPED:
                    raise Flood
            return None
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        if self._skipped or len(line) > limit:
            self._skipped = 0
            raise TooLong
        return line[: -2 if line.endswith(b"\r\n") else -1]


def is_http(line: bytes) -> bool:
    return _HTTP.match(line) is not None
