"""An office that gives mail to a relay as the ingress does, and asks it as operators do."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message as Email
from typing import Any

from prometheus_client import CollectorRegistry

from barid_contracts import directory, queue, settle, trace
from barid_contracts.base import Empty
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_STREAM, Accepted, AcceptedBatch, BodyRef, Key, Obligation
from barid_relay.adapters.doors import opener
from barid_relay.adapters.smtp.timeouts import Timeouts
from barid_relay.handlers.service import Relay
from barid_relay.settings import Settings
from barid_runtime.bus.port import Bus, NoResponders, Stream
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock, SystemClock
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher
from barid_runtime.metrics import Metrics

TRACE = "Received: from client.here.test by mx.here.test with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
BODY = b"From: Ann <ann@here.test>\r\nSubject: hello\r\nMessage-ID: <1@here.test>\r\n\r\nGood morning.\r\n"

QUICK = Timeouts(connect=1.0, greeting=0.5, hello=0.5, handshake=1.0, envelope=0.5, data_block=0.5, final=0.5, quit=0.2)

_serial = itertools.count(1)


def new_relay(settings: Settings, clock: Clock | None = None, timeouts: Timeouts | None = None) -> Relay:
    metrics = Metrics("relay", CollectorRegistry())
    return Relay(settings, opener(settings, metrics, clock=clock, timeouts=timeouts), metrics)


class Office:
    def __init__(self, bus: Bus, settings: Settings, clock: Clock | None = None) -> None:
        self.bus = bus
        self.clock = clock or SystemClock()
        root = settings.data / "journal"
        self.journal = PackJournal(root, "smtp_ingress", self.clock)
        self.publisher = Publisher(self.journal, bus, self.clock)
        self.bodies = LocalBodies(root)

    async def open(self) -> None:
        await self.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
        await self.publisher.start()

    async def close(self) -> None:
        await self.journal.close()
        await self.publisher.close()
        self.bodies.close()

    async def mail(self, *recipients: str, body: bytes = BODY, reverse_path: str = "ann@here.test", **more: Any) -> str:
        """Accept a mail, durably; returns its id. Obligations are numbered from 0."""
        mail_id = new_mail_id(self.clock.now())
        head, _, _ = body.partition(b"\r\n\r\n")
        mail = Accepted(
            **{
                "mail_id": mail_id,
                "at": int(self.clock.now() * 1000),
                "reverse_path": reverse_path,
                "obligations": [
                    Obligation(n=n, kind="remote", address=address, original=address)
                    for n, address in enumerate(recipients)
                ],
                "trace": TRACE,
                "size": len(body),
                "headers": (head + b"\r\n\r\n").decode("latin-1"),
                "subject": "hello",
                "message_id": f"<{next(_serial)}@here.test>",
                **more,
            }
        )
        content: Any = body
        if len(body) > 256 * 1024:
            content = self.journal.spool()
            await content.write(body)
        await self.journal.append(mail, content)
        return mail_id

    async def ask(self, operation: Any, request: Any) -> Any:
        return await call(self.bus, operation, request)

    async def queued(self, **more: Any) -> list[queue.QueueItem]:
        page = await self.ask(queue.QUEUE_LIST, queue.QueueListRequest(**more))
        return list(page.items)

    async def act(self, action: str, *keys: tuple[str, int]) -> int:
        named = [Key(mail_id=mail_id, n=n) for mail_id, n in keys] if keys else None
        reply = await self.ask(queue.QUEUE_ACT, queue.QueueAction(action=action, keys=named))
        return int(reply.changed)

    async def captured(self, **more: Any) -> list[queue.CapturedItem]:
        page = await self.ask(queue.CAPTURED_LIST, queue.CapturedRequest(**more))
        return list(page.items)

    async def clear_captured(self) -> int:
        return int((await self.ask(queue.CAPTURED_CLEAR, Empty())).changed)

    async def missing(self, *keys: tuple[str, int]) -> list[tuple[str, int]]:
        request = settle.MissingRequest(keys=[Key(mail_id=mail_id, n=n) for mail_id, n in keys])
        return [(key.mail_id, key.n) for key in (await self.ask(settle.RELAY_MISSING, request)).keys]

    async def references(self, *packs: str) -> list[str]:
        reply = await self.ask(settle.RELAY_REFERENCES, settle.ReferencesRequest(packs=list(packs)))
        return list(reply.packs)

    async def steps(self, mail_id: str) -> list[trace.TraceStep]:
        return list((await self.ask(trace.RELAY_TRACE, trace.TraceRequest(mail_id=mail_id))).steps)

    async def what(self, mail_id: str) -> list[str]:
        return [step.what for step in await self.steps(mail_id)]

    async def outcome(self, mail_id: str, *wanted: str, seconds: float = 5.0) -> list[str]:
        """Wait until the trace shows these ends, in the order of n."""
        ends = ("relayed", "bounced", "captured", "held")
        found: list[str] = []
        async with asyncio.timeout(seconds):
            while len(found) < len(wanted):
                with contextlib.suppress(NoResponders):  # a process that has not started yet
                    steps = sorted((s for s in await self.steps(mail_id) if s.what in ends), key=lambda s: s.n or 0)
                    found = [step.what for step in steps]
                await asyncio.sleep(0.01)
        assert found == list(wanted)
        return found

    async def deferred(self, mail_id: str, attempts: int = 1, seconds: float = 5.0) -> queue.QueueItem:
        """Wait until the mail's only recipient was deferred so often."""
        async with asyncio.timeout(seconds):
            while True:
                for item in await self.queued():
                    if item.mail_id == mail_id and item.attempts >= attempts and item.state == "deferred":
                        return item
                await asyncio.sleep(0.01)

    async def notice(self, seconds: float = 5.0) -> tuple[Accepted, Email]:
        """The next notice for somebody here, as the MDA gets it."""
        consumer = await self.bus.consumer(ACCEPTED_STREAM, durable="mda", subject=ACCEPTED_LOCAL.subject)
        fetched = await consumer.fetch(1, seconds)
        assert fetched, "no notice"
        await fetched[0].ack()
        (mail,) = AcceptedBatch.model_validate_json(fetched[0].payload).mails
        assert mail.ref is not None
        return mail, message_from_bytes(await self.bodies.read(mail.ref))

    async def notices(self, count: int, seconds: float = 5.0) -> list[Accepted]:
        """So many at least, as batches bring them."""
        consumer = await self.bus.consumer(ACCEPTED_STREAM, durable="mda", subject=ACCEPTED_LOCAL.subject)
        found: list[Accepted] = []
        while len(found) < count:
            fetched = await consumer.fetch(1, seconds)
            assert fetched, f"{len(found)} notices"
            await fetched[0].ack()
            found += AcceptedBatch.model_validate_json(fetched[0].payload).mails
        return found

    async def silence(self, seconds: float = 0.3) -> None:
        """Nobody here gets a notice."""
        consumer = await self.bus.consumer(ACCEPTED_STREAM, durable="mda", subject=ACCEPTED_LOCAL.subject)
        assert await consumer.fetch(1, seconds) == []

    async def until(self, true: Callable[[], Any], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.005)


async def resolve(request: directory.ResolveRequest) -> directory.ResolveReply:
    """here.test is ours, and everybody in it has an account; all else is elsewhere."""

    def one(address: str) -> directory.Resolution:
        if address.endswith("@here.test"):
            account = directory.Target(kind="account", address=address, account=address.split("@")[0])
            return directory.Resolution(address=address, status="local", targets=[account])
        remote = directory.Target(kind="remote", address=address)
        return directory.Resolution(address=address, status="remote", targets=[remote])

    return directory.ResolveReply(resolutions=[one(address) for address in request.addresses])


NO_REF = BodyRef(pack="smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV/000001.pack", offset=0, head=10, size=10)
