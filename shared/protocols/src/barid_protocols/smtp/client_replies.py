"""Reading what a server says: replies of bounded size, and the capabilities of EHLO.

A server is a peer like any other: its text is kept printable, its length is bounded, and what is no reply ends the
connection.
"""

import re
from dataclasses import dataclass, field

from barid_protocols.smtp.replies import Reply

MAX_LINE = 4096
"""Octets of one reply line: eight times RFC 5321 §4.5.3.1.5, as servers write URLs into refusals."""

MAX_LINES = 128
"""Lines of one reply; EHLO has one a feature, and nobody has this many."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")
_UNPRINTABLE = re.compile(r"[^ -~\u00A0-\uD7FF\uE000-\uFFFC\U00010000-\U0010FFFD]")


class BadReply(ValueError):
    """What came is no reply; the text says why and quotes nothing."""


class ReplyReader:
    """Octets in, whole replies out, one at a time."""

    __slots__ = ("_buffer", "_code", "_lines")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code = 0
        self._lines: list[str] = []

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def empty(self) -> bool:
        """Nothing is left, not even a part of a reply."""
        return not self._buffer and not self._lines

    def next_reply(self) -> Reply | None:
        """Raises BadReply. Accepts a bare LF as line end: nothing can be smuggled by one that only we read."""
        while True:
            end = self._buffer.find(b"\n", 0, MAX_LINE)
            if end < 0:
                if len(self._buffer) >= MAX_LINE:
                    raise BadReply("reply line is too long")
                return None
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if reply := self._take(line):
                return reply

    def _take(self, line: bytes) -> Reply | None:
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise BadReply("not an SMTP reply")
        code = int(parts[1])
        if self._lines and code != self._code:
            raise BadReply("reply changes its code between lines")
        if len(self._lines) >= MAX_LINES:
            raise BadReply("reply has too many lines")
        self._code = code
        self._lines.append(_UNPRINTABLE.sub("?", (parts[3] or b"").decode("utf-8", "replace")))
        if parts[2] == b"-":
            return None
        lines, self._lines = self._lines, []
        return _reply(code, lines)


def _reply(code: int, lines: list[str]) -> Reply:
    """Splits off an enhanced code that fits; RFC 2034 §4 repeats it on every line."""
    found = _ENHANCED.match(lines[0])
    if found is None or int(found[1][0]) != code // 100:
        return Reply(code, "", lines)
    enhanced = found[1]
    rest = [
        line[len(enhanced) + 1 :] if line.startswith(enhanced + " ") else "" if line == enhanced else line
        for line in lines
    ]
    return Reply(code, enhanced, rest)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What EHLO told. ``max_size`` is None if SIZE is absent or names no limit (RFC 1870 §4)."""

    names: frozenset[str] = frozenset()
    size: bool = False
    max_size: int | None = None
    mechanisms: tuple[str, ...] = field(default=())

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @classmethod
    def parse(cls, reply: Reply) -> "Capabilities":
        names: set[str] = set()
        max_size: int | None = None
        mechanisms: dict[str, None] = {}
        for line in reply.lines[1:]:
            # "AUTH=LOGIN" is a form from before RFC 2554 that servers still send beside the right one.
            name, *values = line.replace("AUTH=", "AUTH ", 1).upper().split() or [""]
            names.add(name)
            if name == "SIZE" and values and values[0].isascii() and values[0].isdigit() and len(values[0]) <= 20:
                max_size = int(values[0]) or None
            elif name == "AUTH":
                mechanisms.update(dict.fromkeys(values))
        names.discard("")
        return cls(frozenset(names), "SIZE" in names, max_size, tuple(mechanisms))
