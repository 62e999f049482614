"""Foreign hosts: one that takes all mail, and says and does on top what a test tells it to."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from barid_runtime.tls import make_self_signed

Reaction = str | Callable[["Conversation"], Awaitable[str | None]]
"""What is said to a command: a reply (without CR LF), or a function that gives one; None: it has spoken for itself."""


@dataclass
class Taken:
    """A message that got its 250, or what was read of one before the host hung up (`whole` false)."""

    reverse_path: str
    recipients: list[str]
    body: bytes
    mail_command: str = ""
    tls: bool = False
    login: str = ""
    whole: bool = True


@dataclass
class Foreign:
    """A scripted host on 127.0.0.x. replies: by command as it was sent (`RCPT TO:<x@y>`), by verb, or for `GREETING`
    and `BODY` (the reply to the dot)."""

    features: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000", "ENHANCEDSTATUSCODES")
    replies: dict[str, Reaction] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    drop_after: int | None = None
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    open_most: int = 0
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def route(self) -> str:
        return f"{self.host}:{self.port}"

    @contextlib.asynccontextmanager
    async def open(self, **server: Any) -> AsyncIterator["Foreign"]:
        tasks: set[asyncio.Task[None]] = set()

        async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.connections += 1
            self.open_now += 1
            self.open_most = max(self.open_most, self.open_now)
            try:
                await Conversation(self, reader, writer).run()
            except (OSError, EOFError, asyncio.CancelledError):
                pass
            finally:
                self.open_now -= 1
                tasks.discard(task)
                writer.transport.abort()

        listening = await asyncio.start_server(on_connection, self.host, self.port, limit=1 << 20, **server)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await listening.wait_closed()


class Conversation:
    """One connection."""

    def __init__(self, host: Foreign, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.host = host
        self.reader = reader
        self.writer = writer
        self.tls = writer.get_extra_info("ssl_object") is not None
        self.login = ""
        self.reverse_path = ""
        self.mail_command = ""
        self.recipients: list[str] = []

    async def say(self, reply: str) -> None:
        self.writer.write(reply.encode() + b"\r\n")
        await self.writer.drain()

    async def react(self, names: tuple[str, ...], usual: str) -> str:
        """Say what is scripted, or the usual; returns the reply."""
        for name in names:
            if (scripted := self.host.replies.get(name)) is not None:
                reply = scripted if isinstance(scripted, str) else await scripted(self)
                if reply is None:
                    return ""
                usual = reply
                break
        await self.say(usual)
        return usual

    def hang_up(self) -> None:
        self.writer.transport.abort()
        raise ConnectionResetError

    async def run(self) -> None:
        greeting = await self.react(("GREETING",), "220 mx.far.test ESMTP")
        if not greeting.startswith("220"):
            return
        while True:
            line = (await self.reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.host.commands.append(line)
            verb = line.split(" ")[0].upper()
            handler = getattr(self, f"on_{verb.lower()}", None)
            if handler is None:
                await self.react((line, verb), "500 5.5.2 what?")
            elif await handler(line, (line, verb)):
                return

    async def on_ehlo(self, line: str, names: tuple[str, ...]) -> None:
        features = list(self.host.features)
        if self.host.tls is not None and not self.tls:
            features.append("STARTTLS")
        words = ["mx.far.test", *features]
        lines = [f"250{'-' if k < len(words) - 1 else ' '}{word}" for k, word in enumerate(words)]
        await self.react(names, "\r\n".join(lines))

    async def on_helo(self, line: str, names: tuple[str, ...]) -> None:
        await self.react(names, "250 mx.far.test")

    async def on_starttls(self, line: str, names: tuple[str, ...]) -> None:
        reply = await self.react(names, "220 2.0.0 go")
        if reply.startswith("220"):
            assert self.host.tls is not None
            await self.writer.start_tls(self.host.tls)
            self.tls = True

    async def on_auth(self, line: str, names: tuple[str, ...]) -> None:
        reply = await self.react(names, "235 2.7.0 welcome")
        if reply.startswith("235"):
            self.login = line

    async def on_mail(self, line: str, names: tuple[str, ...]) -> None:
        self.mail_command = line
        self.reverse_path = _path(line)
        self.recipients = []
        await self.react(names, "250 2.1.0 ok")

    async def on_rcpt(self, line: str, names: tuple[str, ...]) -> None:
        reply = await self.react((f"RCPT TO:<{_path(line)}>", *names), "250 2.1.5 ok")
        if reply.startswith("250"):
            self.recipients.append(_path(line))

    async def on_rset(self, line: str, names: tuple[str, ...]) -> None:
        self.recipients = []
        await self.react(names, "250 2.0.0 ok")

    async def on_data(self, line: str, names: tuple[str, ...]) -> None:
        if not self.recipients:
            await self.react(names, "503 5.5.1 for whom?")
            return
        reply = await self.react(names, "354 go on")
        if not reply.startswith("354"):
            return
        body = await self.read_body()
        reply = await self.react(("BODY",), "250 2.0.0 taken as 42")
        if reply.startswith("250"):
            self.take(body)
        self.recipients = []

    async def read_body(self) -> bytes:
        data = bytearray()
        limit = self.host.drop_after
        while not (data.endswith(b"\r\n.\r\n") or data == b".\r\n"):
            chunk = await self.reader.readuntil(b"\r\n")
            data += chunk
            if limit is not None and len(data) > limit:
                self.take(bytes(data), whole=False)
                self.hang_up()
        return re.sub(rb"(?m)^\.", b"", bytes(data[: -len(b".\r\n")]))

    def take(self, body: bytes, *, whole: bool = True) -> None:
        self.host.taken.append(
            Taken(self.reverse_path, self.recipients, body, self.mail_command, self.tls, self.login, whole)
        )

    async def on_quit(self, line: str, names: tuple[str, ...]) -> bool:
        await self.react(names, "221 2.0.0 bye")
        return True


def _path(line: str) -> str:
    found = re.search(r"<(.*?)>", line)
    assert found is not None
    return found[1]


def server_tls(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A context for a host of these names, and the file that trusts it."""
    certificate, key = make_self_signed(names or ("mx.far.test",), 1_790_000_000.0)
    folder.mkdir(exist_ok=True)
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context, folder / "certificate.pem"
