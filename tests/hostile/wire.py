"""A client with no manners: any octets at any pace. Blocking, so that a dialogue reads from top to bottom."""

import contextlib
import re
import socket
import time
from typing import NamedTuple

from barid_testing.mail_system import Endpoint

PATIENCE = 15.0
"""Seconds that any one answer may take. What is slower counts as hanging."""

ONE_READ = 1 << 16


class Reply(NamedTuple):
    """An SMTP reply: its code, and its text with the enhanced status code."""

    code: int
    text: str


class Wire:
    """Any port. A context: closed at the end, whatever the peer did."""

    def __init__(self, endpoint: Endpoint, patience: float = PATIENCE) -> None:
        self.socket = socket.create_connection(endpoint, timeout=patience)
        self._kept = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def send_until_cut_off(self, octets: bytes) -> None:
        """The peer may have had enough before all is sent."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(octets)

    def dribble(self, octets: bytes, pause: float) -> None:
        for octet in octets:
            self.send(bytes([octet]))
            time.sleep(pause)

    def read_line(self) -> bytes:
        """With its CR LF; b"" at the end. Raises TimeoutError."""
        while b"\n" not in self._kept:
            more = self.socket.recv(ONE_READ)
            if not more:
                rest, self._kept = self._kept, b""
                return rest
            self._kept += more
        line, _, self._kept = self._kept.partition(b"\n")
        return line + b"\n"

    def read_to_end(self) -> bytes:
        """All until the peer closes, or resets, which a peer may that we went on sending to."""
        parts = [self._kept]
        self._kept = b""
        with contextlib.suppress(ConnectionError):
            while more := self.socket.recv(ONE_READ):
                parts.append(more)
        return b"".join(parts)

    def is_closed(self) -> bool:
        return self.read_to_end() == b""


class Smtp(Wire):
    """Has read the greeting."""

    def __init__(self, endpoint: Endpoint, patience: float = PATIENCE) -> None:
        super().__init__(endpoint, patience)
        self.greeting = self.reply()

    def reply(self) -> Reply:
        """The next one, all its lines. Code 0 is the end of the connection."""
        lines = []
        while line := self.read_line():
            assert re.fullmatch(rb"[2-5][0-9][0-9][ -][ -~]*\r\n", line), line
            lines.append(line[4:-2].decode())
            if line[3:4] == b" ":
                return Reply(int(line[:3]), "\n".join(lines))
        return Reply(0, "\n".join(lines))

    def replies(self, count: int) -> list[Reply]:
        return [self.reply() for _ in range(count)]

    def say(self, line: bytes) -> Reply:
        self.send(line + b"\r\n")
        return self.reply()

    def begin(self, to: str, sender: str = "somebody@elsewhere.test") -> "Smtp":
        """Up to 354."""
        assert self.say(b"EHLO client.elsewhere.test").code == 250
        assert self.say(b"MAIL FROM:<%s>" % sender.encode()).code == 250
        assert self.say(b"RCPT TO:<%s>" % to.encode()).code == 250
        assert self.say(b"DATA").code == 354
        return self
