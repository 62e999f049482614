"""What a 4 KB message costs the ingress in Python, stage by stage: sockets and disk left out, all else real.

    .venv/bin/python services/smtp_ingress/bench/accept_price.py [messages] [--profile]

Twenty connections on one loop, each with a transport that forgets what is written and a journal that answers at the
next turn; so the sum is the loop's own share, to which the kernel adds two reads, two writes and the sync.
"""

import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from barid_contracts.mail import Accepted, BodyRef
from barid_runtime import logging
from barid_runtime.clock import SystemClock
from barid_runtime.journal import record
from barid_smtp_ingress.adapters.aiosmtpd_transport import SmtpTransport
from barid_smtp_ingress.adapters.known_file import KnownFile
from barid_smtp_ingress.adapters.patient_bus import PatientBus
from barid_smtp_ingress.handlers.recipients import FRESH, Found
from barid_smtp_ingress.handlers.service import IngressService, doors
from barid_smtp_ingress.ports import Lead
from barid_smtp_ingress.settings import Settings

CONNECTIONS = 20
ROUNDS = 100
REF = BodyRef(pack="p", offset=0, head=0, size=0)


class Journal:
    problem = ""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def submit(self, mail: Accepted, body: bytes) -> asyncio.Future[BodyRef]:
        record.encode_head(mail)
        future = self.loop.create_future()
        self.loop.call_soon(future.set_result, REF)
        return future


class Transport:
    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes) -> None:
        self.written += data.startswith(b"250 2.0.0 Ok")

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("192.0.2.1", 1234)

    def close(self) -> None: ...


HEADER = (
    b"Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTP id abc;\r\n"
    b"\tMon, 1 Jan 2024 00:00:00 +0000\r\nFrom: Sender Name <sender@there.test>\r\nTo: u@here.test\r\n"
    b"Subject: a message\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@there.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
)
MESSAGE = HEADER + b"The quick brown fox jumps over the lazy dog, and does so again.\r\n" * 57 + b".\r\n"
COMMANDS = b"MAIL FROM:<sender@there.test>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n"


async def main(messages: int, profile: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), hostname="mx.here.test")
        service = IngressService(
            settings,
            bus=PatientBus(lambda: asyncio.sleep(3600)),  # type: ignore[arg-type,return-value]
            start_bus=lambda: asyncio.sleep(0),
            journal=Journal(),  # type: ignore[arg-type]
            publisher=None,  # type: ignore[arg-type]
            known=KnownFile(settings.known_file),
            open_listener=None,  # type: ignore[arg-type]
            clock=SystemClock(),
        )
        lead = Lead("account", "u@here.test", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        service._recipients._put("u@here.test", Found("local", (lead,), time.time() + FRESH))
        door = doors(settings)[0]
        loop = asyncio.get_running_loop()
        converse = service._conversations(door.options.profile)
        clients: list[tuple[SmtpTransport, Transport]] = []
        for _ in range(CONNECTIONS):
            protocol, transport = SmtpTransport(door, converse, None, set(), loop), Transport()
            protocol.connection_made(transport)
            protocol.data_received(b"EHLO client.test\r\n")
            clients.append((protocol, transport))
        profiler = cProfile.Profile() if profile else None
        if profiler:
            profiler.enable()
        best = 1.0
        for _ in range(ROUNDS):
            begun = time.process_time()
            for _ in range(messages // CONNECTIONS // ROUNDS):
                for protocol, _transport in clients:
                    protocol.data_received(COMMANDS)
                    protocol.data_received(MESSAGE)
                for _ in range(4):
                    await asyncio.sleep(0)
            best = min(best, (time.process_time() - begun) * ROUNDS / messages)
        if profiler:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        done = sum(transport.written for _, transport in clients)
        print(f"{len(MESSAGE)} octets, {done} accepted, {best * 1e6:.0f} µs each in the best of {ROUNDS} rounds")  # noqa: T201


if __name__ == "__main__":
    with open("/dev/null", "w") as nowhere:
        logging.configure("info", "json", nowhere)
        uvloop.run(main(int(next((a for a in sys.argv[1:] if a.isdigit()), "20000")), "--profile" in sys.argv))
