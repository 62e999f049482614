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
    """Counts, and when what happened (`time.perf_counter`).

    endpoints: sessions take turns at them. per_second: messages are due at this rate, on whichever session is free;
    None: as fast as their sessions go. latencies: seconds from a message's dot to its reply. refused: serial
    numbers; errors: the replies that did so.
    """

    endpoints: list[tuple[str, int]]
    sender: str
    recipients_of: Callable[[int], list[str]]
    total: int
    sessions: int
    per_session: int = 10
    size: int = 4096
    per_second: float | None = None
    accepted: int = 0
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    last_ok: float = 0.0
    began: float = 0.0
    _next: int = 0

    async def run(self) -> None:
        self.began = time.perf_counter()
        await asyncio.gather(*(self._worker(number) for number in range(self.sessions)))

    def latency_ms(self, part: float) -> float:
        """A quantile of the latencies."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else 0.0

    def _take(self) -> int | None:
        if self._next >= self.total:
            return None
        self._next += 1
        return self._next - 1

    async def _due(self, serial: int) -> None:
        if self.per_second:
            wait = self.began + serial / self.per_second - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)

    async def _worker(self, number: int) -> None:
        while self._next < self.total:
            reader, writer = await asyncio.open_connection(*self.endpoints[number % len(self.endpoints)])
            try:
                await _reply(reader)
                writer.write(b"EHLO bench.example.net\r\n")
                await _reply(reader)
                for _ in range(self.per_session):
                    serial = self._take()
                    if serial is None:
                        break
                    await self._due(serial)
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
            self._refuse(serial, replies[-1])
            return
        writer.write(message(serial, self.size, recipients[0]) + b".\r\n")
        sent = time.perf_counter()
        final = await _reply(reader)
        if final[:1] == b"2":
            self.accepted += 1
            self.last_ok = time.perf_counter()
            self.latencies.append(self.last_ok - sent)
        else:
            self._refuse(serial, final)

    def _refuse(self, serial: int, reply: bytes) -> None:
        self.refused.append(serial)
        self.errors.append(reply.decode("latin-1"))


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError("the server closed the session")
        if line[3:4] != b"-":
            return line
