"""The transport between a core and a conversation: however reads are cut and answers are late, the talk is the same.

Invariants, for any cuts: the octets written are those of the dialogue read in one piece; nothing is delivered to a
paused transport's core beyond one read; the journal gets each accepted message once, whole, in order.
"""

import asyncio
import itertools
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_contracts.mail import Accepted, BodyRef
from barid_runtime.clock import SystemClock
from barid_runtime.journal.port import SPOOL_ABOVE
from barid_smtp_ingress.adapters.aiosmtpd_transport import SmtpTransport
from barid_smtp_ingress.adapters.known_file import KnownFile
from barid_smtp_ingress.adapters.patient_bus import PatientBus
from barid_smtp_ingress.handlers.recipients import Found
from barid_smtp_ingress.handlers.service import IngressService, doors
from barid_smtp_ingress.ports import Lead
from barid_smtp_ingress.settings import Settings

TALK = (
    b"EHLO client.test\r\n"
    b"MAIL FROM:<a@there.test>\r\nRCPT TO:<u@here.test>\r\nRCPT TO:<stranger@here.test>\r\nDATA\r\n"
    b"Subject: one\r\n\r\n..dots\r\n.\r\n"
    b"NOOP\r\nWHAT\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\nSubject: two\r\n\r\nbare\nline\r\n.\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\nSubject: three\r\n\r\n"
    + b"many lines\r\n" * (SPOOL_ABOVE // 12 + 5)
    + b".\r\nRSET\r\nQUIT\r\n"
)


class Spooling:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    async def write(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self.parts.append(chunk)

    async def discard(self) -> None:
        await asyncio.sleep(0)


class Memory:
    """A journal whose answers come some turns later."""

    problem = ""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.bodies: list[bytes] = []

    def spool(self) -> Spooling:
        return Spooling()

    async def append(self, mail: Accepted, body: bytes | Spooling) -> BodyRef:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.bodies.append(body if isinstance(body, bytes) else b"".join(body.parts))
        assert mail.size == len(self.bodies[-1])
        return BodyRef(pack="p", offset=0, head=0, size=mail.size)

    def submit(self, mail: Accepted, body: bytes) -> asyncio.Future[BodyRef]:
        return asyncio.ensure_future(self.append(mail, body))


class Wire:
    """A transport that keeps its promise: a paused one delivers nothing."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = False
        self.closed = False

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1) if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True


async def talk(data: Path, cuts: list[int], turns: int, blocks: bool) -> tuple[list[bytes], list[bytes]]:
    journal = Memory(turns)
    service = IngressService(
        Settings(data=data, hostname="mx.here.test"),
        bus=PatientBus(lambda: asyncio.sleep(3600)),  # type: ignore[arg-type,return-value]
        start_bus=lambda: asyncio.sleep(0),
        journal=journal,  # type: ignore[arg-type]
        publisher=None,  # type: ignore[arg-type]
        known=KnownFile(data / "known"),
        open_listener=None,  # type: ignore[arg-type]
        clock=SystemClock(),
    )
    service._recipients._put("u@here.test", Found("local", (Lead("account", "u@here.test", "1"),), 1e18))
    door = doors(service._settings)[0]
    protocol = SmtpTransport(
        door, service._conversations(door.options.profile), None, set(), asyncio.get_running_loop()
    )
    wire = Wire()
    protocol.connection_made(wire)
    edges = sorted({0, len(TALK), *(cut % len(TALK) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        while wire.paused and not wire.closed:
            await asyncio.sleep(0)
        if wire.closed:
            break
        protocol.data_received(TALK[start:end])
        if blocks and start % 3 == 0:
            protocol.pause_writing()
            await asyncio.sleep(0)
            protocol.resume_writing()
    async with asyncio.timeout(10):
        while not wire.closed:
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    await asyncio.sleep(0)
    assert service._desk.connections.total == 0
    # The ids of mails are the only thing that differs.
    return [line[:20] for line in wire.written.splitlines()], journal.bodies


@given(st.lists(st.integers(0, len(TALK) * 2), max_size=40), st.integers(0, 5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_cuts_and_delays_change_nothing(tmp_path_factory: Any, cuts: list[int], turns: int, blocks: bool) -> None:
    folder = tmp_path_factory.getbasetemp()
    # Around the first messages, too, where the commands are.
    cuts = [*cuts, *(cut % 400 for cut in cuts)]
    replies, bodies = asyncio.run(talk(folder, cuts, turns, blocks))
    expected = (
        b"220 250- 250- 250- 250- 250- 250- 250 250 250 451 354 250 250 500 250 250 354 554 250 250 354 250 250 221"
    )
    codes = b" ".join(line[:4].rstrip() for line in replies)
    assert codes.replace(b"250-", b"").split() == expected.replace(b"250-", b"").split()
    assert [body[:12] for body in bodies] == [b"Subject: one", b"Subject: thr"]
    assert bodies[0] == b"Subject: one\r\n\r\n.dots\r\n"
    assert bodies[1].endswith(b"many lines\r\n" * (SPOOL_ABOVE // 12 + 5))
