"""A small house to test in: real bus, directory, mailstore and journal, and the server on ports of its own."""

import asyncio
import contextlib
import itertools
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from barid_contracts import settle
from barid_contracts.mail import AcceptedBatch, Obligation
from barid_directory.adapters.argon2 import Argon2Hasher
from barid_directory.adapters.tables import open_store
from barid_directory.handlers.bootstrap import bootstrap
from barid_directory.handlers.service import DirectoryService
from barid_mailstore.adapters.doors import embedded as mailstore_doors
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.settings import Settings as MailstoreSettings
from barid_mss.adapters.doors import embedded
from barid_mss.handlers.service import MailStorageServer
from barid_mss.settings import Settings
from barid_protocols.mime import summarize
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import call
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place
from barid_runtime.ids import new_id, new_mail_id
from barid_runtime.journal.describe import describe
from barid_runtime.journal.packs import PackJournal
from barid_runtime.metrics import Metrics

PASSWORD = "correct horse"
NOW = 1_790_000_000
TRACE = "Received: by mx.here.test; now\r\n"

_serial = itertools.count(1)


def letter(subject: str = "hello", body: str = "How are you?\r\n", **fields: str) -> bytes:
    """A message; fields with `_` for `-` come before the usual ones."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return (
        f"{more}From: Ann Far <ann@far.test>\r\nTo: bob@here.test\r\nSubject: {subject}\r\n"
        f"Date: Mon, 21 Sep 2026 12:00:00 +0200\r\nMessage-ID: <{next(_serial)}@far.test>\r\n\r\n{body}"
    ).encode()


class House:
    """Started by `open_house`."""

    def __init__(self, data: Path, nats_url: str, bus: Bus, *, secret: str = "") -> None:
        """secret: the bus asks for a log-in: the name of each service, with this password."""
        self.secret = secret
        self.data = data
        self.nats_url = nats_url
        self.bus = bus
        self.accounts: dict[str, str] = {}
        self.directory: DirectoryService | None = None
        self.mailstore: Mailstore | None = None
        self.server: MailStorageServer | None = None
        self.earlier: list[MailStorageServer] = []
        """Replicas that were started before `server`."""
        self.journal = PackJournal(data / "journal", "smtp_ingress")
        self.wires: list[Raw] = []

    async def start(self, *, max_failed_logins: int = 20, **settings: Any) -> None:
        async def open_bus() -> Bus:
            user = "directory" if self.secret else ""
            return await connect(self.nats_url, user=user, password=self.secret, name="directory")

        self.directory = DirectoryService(
            open_bus=open_bus,
            open_store=lambda: open_store(Place(self.data / "directory.db")),
            hasher=Argon2Hasher(threads=1, time_cost=1, memory_kib=8),
            clock=SystemClock(),
            new_id=new_id,
            postmaster="",
            max_failed_logins=max_failed_logins,
        )
        await self.directory.start()
        await self.start_mailstore()
        await self.start_server(**settings)
        await self.people("bob", "eve")

    async def people(self, *names: str) -> None:
        made = await bootstrap(self.bus, [(f"{name}@here.test", PASSWORD) for name in names], ["here.test"])
        self.accounts.update((name, account.id) for name, account in zip(names, made, strict=True))

    async def start_mailstore(self) -> None:
        settings = MailstoreSettings(
            data=self.data,
            bus_url=self.nats_url,
            bus_user="mailstore" if self.secret else "",
            bus_password=SecretStr(self.secret),
            reconcile_seconds=3600,
            delete_grace=3600,
        )
        self.mailstore = Mailstore(settings, mailstore_doors(settings), Metrics("mailstore", CollectorRegistry()))
        await self.mailstore.start()

    async def stop_mailstore(self) -> None:
        assert self.mailstore is not None
        await self.mailstore.drain()
        self.mailstore = None

    async def start_server(self, **given: Any) -> None:
        settings = Settings(
            **{
                "data": self.data,
                "bus_url": self.nats_url,
                "bus_user": "mss" if self.secret else "",
                "bus_password": self.secret,
                "hostname": "mss.here.test",
                "imap_port": 0,
                "imaps_port": 0,
                "pop3_port": 0,
                "pop3s_port": 0,
                "allow_plaintext": True,
                "drain_seconds": 3,
                **given,
            }
        )
        if self.server is not None:
            self.earlier.append(self.server)
        self.server = MailStorageServer(settings, embedded(settings), Metrics("mss", CollectorRegistry()))
        await self.server.start()

    async def stop(self) -> None:
        for raw in self.wires:
            raw.close()
        for service in (*self.earlier, self.server, self.mailstore, self.directory):
            if service is not None:
                await service.drain()
        await self.journal.close()

    def port(self, name: str) -> int:
        assert self.server is not None
        return self.server.ports()[name]

    async def deliver(self, name: str, *mailboxes: str, message: bytes | None = None, trace: str = TRACE) -> str:
        """File a message as the MDA would; its mail_id."""
        body = message if message is not None else letter()
        address = f"{name}@here.test"
        mail = describe(
            summarize(body),
            mail_id=new_mail_id(NOW),
            at=NOW * 1000,
            reverse_path="ann@far.test",
            obligations=[
                Obligation(n=0, kind="account", address=address, original=address, account=self.accounts[name])
            ],
            trace=trace,
        )
        ref = await self.journal.append(mail, body)
        mail = mail.model_copy(update={"ref": ref})
        filings = [settle.Filing(mailbox=mailbox) for mailbox in mailboxes or ("INBOX",)]
        settlement = settle.Settlement(
            mail_id=mail.mail_id,
            n=0,
            account=self.accounts[name],
            outcome="filed",
            delivered_to=address,
            filings=filings,
        )
        request = settle.SettleRequest(accepted=AcceptedBatch(mails=[mail]), settlements=[settlement])
        reply = await call(self.bus, settle.SETTLE, request)
        assert [result.status for result in reply.results] == ["done"]
        return mail.mail_id

    async def raw(self, door: str = "imap", *, tls: ssl.SSLContext | None = None, limit: int = 1 << 20) -> "Raw":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port(door), ssl=tls, limit=limit)
        raw = Raw(reader, writer)
        self.wires.append(raw)
        await raw.line()
        return raw

    async def imap(self, name: str = "bob", mailbox: str | None = None) -> "Raw":
        """Logged in, and with a mailbox selected if asked."""
        raw = await self.raw()
        await raw.ok(f'LOGIN {name}@here.test "{PASSWORD}"')
        if mailbox is not None:
            await raw.ok(f"SELECT {mailbox}")
        return raw


_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


@dataclass
class Raw:
    """A client that a person could be: lines out, lines in; literals are part of their line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    count: int = 0

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self, within: float = 5.0) -> bytes:
        """With all its literals, without the last CRLF; b'' at the end."""
        async with asyncio.timeout(within):
            whole = b""
            while True:
                line = await self.reader.readline()
                whole += line
                match = _LITERAL.search(line)
                if match is None or not line:
                    return whole.removesuffix(b"\r\n")
                whole += await self.reader.readexactly(int(match[1]))

    async def ask(self, command: str | bytes, within: float = 10.0) -> tuple[list[bytes], bytes]:
        """Untagged lines, and the tagged one without its tag."""
        self.count += 1
        tag = b"t%d" % self.count
        self.send(tag + b" " + (command.encode() if isinstance(command, str) else command) + b"\r\n")
        return await self.answer(tag, within)

    async def answer(self, tag: bytes, within: float = 10.0) -> tuple[list[bytes], bytes]:
        lines: list[bytes] = []
        while True:
            line = await self.line(within)
            assert line, f"the connection ended after {lines}"
            if line.startswith(tag + b" "):
                return lines, line[len(tag) + 1 :]
            lines.append(line)

    async def ok(self, command: str | bytes, within: float = 10.0) -> list[bytes]:
        """Untagged lines of a command that must succeed."""
        lines, end = await self.ask(command, within)
        assert end.startswith(b"OK"), (command, lines, end)
        return lines

    async def no(self, command: str | bytes) -> bytes:
        lines, end = await self.ask(command)
        assert end.startswith(b"NO"), (command, lines, end)
        return end

    async def append(self, message: bytes, mailbox: str = "INBOX", extra: str = "") -> bytes:
        """The tagged line."""
        self.count += 1
        tag = b"t%d" % self.count
        self.send(tag + f" APPEND {mailbox} {extra}{{{len(message)}+}}\r\n".encode() + message + b"\r\n")
        _, end = await self.answer(tag)
        return end

    async def idle(self) -> None:
        self.count += 1
        self.send(b"t%d IDLE\r\n" % self.count)
        assert (await self.line()).startswith(b"+ ")

    async def done(self) -> tuple[list[bytes], bytes]:
        self.send(b"DONE\r\n")
        return await self.answer(b"t%d" % self.count)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.writer.transport.abort()


@contextlib.asynccontextmanager
async def open_house(data: Path, nats_url: str, bus: Bus, *, secret: str = "", **settings: Any) -> AsyncIterator[House]:
    house = House(data, nats_url, bus, secret=secret)
    try:
        await house.start(**settings)
        yield house
    finally:
        await house.stop()
