"""Replies as octets, and message text as POP3 carries it (RFC 1939 §3)."""

from collections.abc import Iterable
from enum import Enum

MAX_TEXT = 400
"""RFC 2449 §4: a response line has at most 512 octets."""


class ResponseCode(Enum):
    """RFC 2449 §8 and RFC 3206."""

    IN_USE = "IN-USE"
    LOGIN_DELAY = "LOGIN-DELAY"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"
    AUTH = "AUTH"


def _line(text: str) -> bytes:
    # Whatever the text holds, the reply stays one line of printable ASCII.
    return "".join(char if " " <= char <= "~" else "?" for char in text[:MAX_TEXT]).encode()


def ok(text: str = "") -> bytes:
    return b"+OK %b\r\n" % _line(text) if text else b"+OK\r\n"


def err(text: str, code: ResponseCode | None = None) -> bytes:
    return _line(f"-ERR [{code.value}] {text}" if code else f"-ERR {text}") + b"\r\n"


def listing(text: str, lines: Iterable[bytes]) -> bytes:
    """A multi-line reply of lines that we wrote ourselves and that begin with no dot."""
    return b"\r\n".join((b"+OK " + _line(text), *lines, b".\r\n"))


def challenge(data: bytes) -> bytes:
    """A SASL challenge, in base64 already."""
    return b"+ %b\r\n" % data


class MessageWriter:
    """A message as it streams out: dots stuffed, and for TOP cut after so many lines of the body.

    Works on whole chunks, at 1 µs a KB. A dot is doubled after any LF,
    not only after CRLF: clients that read lines by LF (poplib among them) would else take a line of one dot for the
    end.
    """

    __slots__ = ("_lines", "_tail", "complete")

    def __init__(self, lines: int | None = None) -> None:
        self._tail = b"\r\n"  # what was written last; the status line to begin with
        self._lines = None if lines is None else _TopLines(lines)
        self.complete = False

    def write(self, chunk: bytes) -> bytes:
        """The octets to send. Once ``complete``, more chunks give nothing."""
        if self._lines is not None and not self.complete:
            chunk = self._lines.cut(chunk)
            self.complete = self._lines.complete
        elif self.complete:
            return b""
        if not chunk:
            return b""
        tail = self._tail
        self._tail = chunk[-2:] if len(chunk) > 1 else (tail + chunk)[-2:]
        if tail.endswith(b"\n") and chunk.startswith(b"."):
            chunk = b"." + chunk
        return chunk.replace(b"\n.", b"\n..")

    def finish(self) -> bytes:
        """The line that ends the message; it must stand after CRLF, so a last line without is given one."""
        self.complete = True
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


class _TopLines:
    """Lets the header, the blank line and ``lines`` lines pass."""

    __slots__ = ("_in_header", "_left", "_tail", "complete")

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._in_header = True
        self._tail = b"\n"
        self.complete = False

    def cut(self, chunk: bytes) -> bytes:
        start = 0
        if self._in_header:
            # The blank line may begin in what has passed: look at the last two octets again.
            seen = self._tail + chunk
            ends = [end for end in (_after(seen, b"\n\r\n"), _after(seen, b"\n\n")) if end]
            if not ends:
                self._tail = seen[-2:]
                return chunk
            self._in_header = False
            start = max(min(ends) - len(self._tail), 0)
        body_lines = chunk.count(b"\n", start)
        if body_lines < self._left:
            self._left -= body_lines
            return chunk
        self.complete = True
        rest = chunk[start:].split(b"\n", self._left)
        return chunk[:start] + b"".join([line + b"\n" for line in rest[: self._left]])


def _after(data: bytes, needle: bytes) -> int:
    index = data.find(needle)
    return 0 if index < 0 else index + len(needle)
