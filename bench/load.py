"""A sender: C sessions, M messages each, commands pipelined as a good client does."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_dice = random.Random(7)
_WORDS = ["invoice", "meeting", "the", "of", "quarterly", "report", "and", "please", "find", "attached", "thanks", "a"]
POOL = "".join(
    " ".join(_dice.choice(_WORDS) + str(_dice.randrange(100)) for _ in range(9))[:74].ljust(74, ".") + "\r\n"
    for _ in range(4000)
).encode()
LINE = 76
"""Octets of a line of the pool: bodies are slices of whole lines, so that making them costs the sender nothing."""


def message(serial: int, size: int, recipient: str) -> bytes:
    """A text message of about `size` bytes; every one is different."""
    head = (
        f"From: Sender {serial % 97} <sender{serial % 97}@example.net>\r\n"
        f"To: <{recipient}>\r\n"
        f"Subject: Message {serial} of the benchmark\r\n"
        "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{serial}.{time.time_ns()}@example.net>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    lines = max(1, (size - len(head)) // LINE)
    start = serial * 7919 % (len(POOL) // LINE - lines) * LINE
    return head + POOL[start : start + lines * LINE]


@dataclass
class Load:
    """Counts, and when what happened (`time.perf_counter`)."""

    host: str
    port: int
    sender: str
    recipients_of: Callable[[int], list[str]]
    total: int
    sessions: int
    per_session: int = 10
    size: int = 4096
    accepted: int = 0
    errors: list[str] = field(default_factory=list)
    last_ok: float = 0.0
    _next: int = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._worker() for _ in range(self.sessions)))

    def _take(self) -> int | None:
        if self._next >= self.total:
            return None
        self._next += 1
        return self._next - 1

    async def _worker(self) -> None:
        while self._next < self.total:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                await _reply(reader)
                writer.write(b"EHLO bench.example.net\r\n")
                await _reply(reader)
                for _ in range(self.per_session):
                    serial = self._take()
                    if serial is None:
                        break
                    await self._send(reader, writer, serial)
                writer.write(b"QUIT\r\n")
            finally:
                writer.close()

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serial: int) -> None:
        recipients = self.recipients_of(serial)
        commands = [f"MAIL FROM:<{self.sender}>\r\n", *(f"RCPT TO:<{r}>\r\n" for r in recipients), "DATA\r\n"]
        writer.write("".join(commands).encode())
        replies = [await _reply(reader) for _ in commands]
        if replies[-1][:3] != b"354":
            self.errors.append(replies[-1].decode("latin-1"))
            return
        writer.write(message(serial, self.size, recipients[0]) + b".\r\n")
        final = await _reply(reader)
        if final[:1] == b"2":
            self.accepted += 1
            self.last_ok = time.perf_counter()
        else:
            self.errors.append(final.decode("latin-1"))


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError("the server closed the session")
        if line[3:4] != b"-":
            return line
