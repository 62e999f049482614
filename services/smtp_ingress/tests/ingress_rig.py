"""The ingress on real parts: bus, directory, journal and sockets; and clients that a person could be."""

import asyncio
import contextlib
import json
import ssl
from pathlib import Path
from typing import Any

from barid_contracts.directory import ALIAS_PUT, DOMAIN_PUT, Alias, Domain
from barid_contracts.mail import Accepted
from barid_contracts.store import OVER_QUOTA_LIST, OverQuota
from barid_directory.adapters.argon2 import Argon2Hasher
from barid_directory.adapters.tables import open_store
from barid_directory.handlers.bootstrap import bootstrap
from barid_directory.handlers.service import DirectoryService
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, Stream
from barid_runtime.bus.typed import answer, call
from barid_runtime.certificates import Certificates
from barid_runtime.clock import Clock, SystemClock
from barid_runtime.database.door import Place
from barid_runtime.ids import new_id
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.device import Device
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher
from barid_runtime.tls import listeners_pair
from barid_smtp_ingress.adapters.known_file import KnownFile
from barid_smtp_ingress.adapters.listeners import listeners
from barid_smtp_ingress.adapters.patient_bus import PatientBus
from barid_smtp_ingress.handlers.service import IngressService
from barid_smtp_ingress.settings import Settings

LOGINS = [("anna@here.test", "secret-anna"), ("ben@here.test", "secret-ben"), ("cleo@here.test", "secret-cleo")]


class Client:
    """A raw SMTP client: what is sent is what is written in the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return (await self.reader.readline()).decode().rstrip("\r\n")

    async def reply(self) -> str:
        """One reply; the text of its last line, code first."""
        while True:
            line = await self.line()
            if line[3:4] != "-":
                return line

    async def replies(self, count: int) -> list[str]:
        return [await self.reply() for _ in range(count)]

    def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)

    async def ask(self, text: str | bytes) -> str:
        self.send(text if isinstance(text, bytes) else text + "\r\n")
        return await self.reply()

    async def rest(self) -> bytes:
        """All until the server closes."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def start_tls(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await self.writer.start_tls(context)

    async def deliver(self, *recipients: str, body: str | bytes, sender: str = "sender@there.test") -> str:
        """A whole transaction; the last reply, or the first refusal."""
        text = body.encode() if isinstance(body, str) else body
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"]
        for command in commands:
            reply = await self.ask(command)
            if reply[0] not in "23":
                return reply
        self.send(text + b".\r\n")
        return await self.reply()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Rig:
    """A running ingress and what stands around it."""

    def __init__(self, bus: Bus, nats_url: str, data: Path) -> None:
        self.bus = bus
        self.nats_url = nats_url
        self.data = data
        self.directory: DirectoryService | None = None
        self.ingress: IngressService | None = None
        self.earlier: list[IngressService] = []
        """Replicas that were started before `ingress`, and run on."""
        self.over_quota: list[str] = []
        self._clients: list[Client] = []

    async def restart_directory(self, **options: Any) -> None:
        await self.stop_directory()
        await self.start_directory(**options)

    async def start_directory(self, **options: Any) -> None:
        self.directory = DirectoryService(
            open_bus=lambda: connect(self.nats_url, name="directory"),
            open_store=lambda: open_store(Place(self.data / "directory.db")),
            hasher=Argon2Hasher(threads=2, time_cost=1, memory_kib=8),
            clock=SystemClock(),
            new_id=new_id,
            postmaster="",
            **options,
        )
        await self.directory.start()
        self.accounts = {each.address: each.id for each in await bootstrap(self.bus, LOGINS)}

    async def stop_directory(self) -> None:
        if self.directory is not None:
            await self.directory.drain()
            self.directory = None

    async def start(
        self, *, bus_url: str | None = None, device: Device | None = None, clock: Clock | None = None, **settings: Any
    ) -> IngressService:
        given: dict[str, Any] = {
            "data": self.data,
            "hostname": "mx.here.test",
            "smtp_port": 0,
            "submission_port": 0,
            "submissions_port": 0,
            "lmtp_port": 0,
            "drain_seconds": 8.0,
        }
        self.settings = Settings(**(given | settings))
        clock = clock or SystemClock()
        bus = PatientBus(lambda: connect(bus_url or self.nats_url, name="ingress"))
        journal = PackJournal(self.settings.journal, "smtp_ingress", clock, device=device, write_ahead=1 << 20)
        self.publisher = Publisher(journal, bus, clock)
        self.journal = journal
        if self.ingress is not None:
            self.earlier.append(self.ingress)
        self.ingress = IngressService(
            self.settings,
            bus=bus,
            start_bus=bus.start,
            journal=journal,
            publisher=self.publisher,
            known=KnownFile(self.settings.known_file),
            open_listener=listeners(
                "127.0.0.1",
                Certificates(
                    "smtp_ingress",
                    lambda: listeners_pair(
                        self.settings.tls_certificate,
                        self.settings.tls_key,
                        self.data / "tls",
                        ["mx.here.test"],
                        clock.now(),
                    ),
                ).context,
            ),
            clock=clock,
        )
        await self.ingress.start()
        return self.ingress

    async def stop(self) -> None:
        for client in self._clients:
            await client.close()
        self._clients.clear()
        for earlier in self.earlier:
            await earlier.drain()
        self.earlier.clear()
        if self.ingress is not None:
            await self.ingress.drain()
            self.ingress = None

    def port(self, name: str) -> int:
        assert self.ingress is not None
        return self.ingress.ports()[name]

    async def connect(self, name: str = "smtp", *, tls: bool = False) -> Client:
        context = None
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port(name), ssl=context, limit=1 << 20))
        self._clients.append(client)
        return client

    async def greeted(self, name: str = "smtp") -> Client:
        """Connected and past EHLO (or LHLO)."""
        client = await self.connect(name)
        await client.reply()
        await client.ask("LHLO client.test" if name == "lmtp" else "EHLO client.test")
        return client

    async def logged_in(self, login: str = "anna@here.test") -> Client:
        """On port 587, under TLS, as that account."""
        import base64

        client = await self.greeted("submission")
        await client.ask("STARTTLS")
        await client.start_tls()
        await client.ask("EHLO client.test")
        secret = base64.b64encode(f"\0{login}\0{dict(LOGINS)[login]}".encode()).decode()
        reply = await client.ask(f"AUTH PLAIN {secret}")
        assert reply.startswith("235"), reply
        return client

    async def alias(self, address: str, *targets: str) -> None:
        await call(self.bus, ALIAS_PUT, Alias(address=address, targets=list(targets)))

    async def domain(self, name: str, catch_all: str | None = None) -> None:
        await call(self.bus, DOMAIN_PUT, Domain(name=name, catch_all=catch_all))

    async def serve_quota(self) -> None:
        async def over(_: Any) -> OverQuota:
            return OverQuota(over=self.over_quota, full=True)

        await answer(self.bus, OVER_QUOTA_LIST, over, queue="mailstore")

    def transports(self) -> list[Any]:
        assert self.ingress is not None
        return list(self.ingress._open())

    def open_connections(self) -> int:
        """As the limits count them."""
        assert self.ingress is not None
        return self.ingress._desk.connections.total

    async def nobody_connected(self) -> None:
        """Soon."""
        async with asyncio.timeout(5):
            while self.open_connections() or self.transports():
                await asyncio.sleep(0.01)

    async def forget_freshness(self) -> None:
        """As if minutes had passed."""
        assert self.ingress is not None
        self.ingress._recipients.doubt()
        self.ingress._accounts.doubt()

    async def heard_quota(self, account: str, over: bool) -> None:
        """Until the ingress has heard."""
        assert self.ingress is not None
        async with asyncio.timeout(5):
            while self.ingress._quota.is_over(account) is not over:
                await asyncio.sleep(0.01)

    async def body(self, mail: Accepted) -> bytes:
        assert mail.ref is not None
        return await LocalBodies(self.settings.journal).read(mail.ref)


class Published:
    """What reaches the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._consumers: list[Any] = []
        self._mails: list[Accepted] = []

    async def start(self) -> None:
        await self._bus.ensure_stream(Stream("MAIL", ("mail.v1.accepted.>",)))
        for kind in ("local", "remote"):
            self._consumers.append(
                await self._bus.consumer("MAIL", durable=f"test-{kind}", subject=f"mail.v1.accepted.{kind}")
            )

    async def mails(self, count: int = 1, kind: str = "local") -> list[Accepted]:
        """The next `count` mails."""
        consumer = self._consumers[0 if kind == "local" else 1]
        found: list[Accepted] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                for delivery in await consumer.fetch(100, 0.5):
                    found += [Accepted.model_validate(each) for each in json.loads(delivery.payload)["mails"]]
                    await delivery.ack()
        assert len(found) == count
        return found

    async def mail(self, kind: str = "local") -> Accepted:
        return (await self.mails(1, kind))[0]
