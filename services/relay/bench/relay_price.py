"""What the relay's process costs a message, bus, journal reads and queue included: captured, or sent to a host here.

Run: python services/relay/bench/relay_price.py [capture|direct] [messages] [recipients] [profile]

The host takes everything by the simplest code there is, in a process of its own, so that what is counted is the relay.
`profile` runs the relay within this process under cProfile.
"""

import asyncio
import contextlib
import cProfile
import json
import multiprocessing
import os
import pstats
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from barid_contracts.mail import ACCEPTED_STREAM, Accepted, Key, Obligation
from barid_contracts.queue import QUEUE_LIST, QueueListRequest
from barid_contracts.settle import RELAY_MISSING, MissingRequest
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, NoResponders, Stream
from barid_runtime.bus.typed import call
from barid_runtime.clock import SystemClock
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher

TICKS = os.sysconf("SC_CLK_TCK")
HEADERS = (
    b"From: Ann <ann@here.test>\r\nTo: Bob <bob@far.test>\r\nSubject: what a mail costs\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@here.test>\r\n\r\n"
)
BODY = (b"x" * 70 + b"\r\n") * 55  # 4 KB with its headers
TRACE = "Received: from client.here.test by mx.here.test with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n"


class Sink(asyncio.Protocol):
    """Takes everything. Its input is answered by counting line ends and dots, as only our own client may rely on."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.body = False
        self.tail = b""
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        out = []
        data = self.tail + data
        while data:
            if self.body:
                end = data.find(b"\r\n.\r\n")
                if end < 0:
                    data = data[-4:]
                    break
                data = data[end + 5 :]
                self.body = False
                out.append(b"250 2.0.0 ok\r\n")
                continue
            line, found, rest = data.partition(b"\r\n")
            if not found:
                break
            data = rest
            if line.startswith(b"EHLO"):
                out.append(b"250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            elif line == b"DATA":
                self.body = True
                out.append(b"354 go\r\n")
            else:
                out.append(b"250 2.1.0 ok\r\n")
        self.tail = data
        if out:
            self.transport.write(b"".join(out))  # type: ignore[attr-defined]


def sink(pipe: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve())


def cpu_of(pid: int) -> tuple[float, float]:
    """Seconds, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


async def fill(bus: Bus, root: Path, count: int, recipients: int) -> list[str]:
    """Mails accepted and published, as the ingress does; the relay is not there yet."""
    clock = SystemClock()
    await bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    journal = PackJournal(root, "smtp_ingress", clock)
    publisher = Publisher(journal, bus, clock)
    await publisher.start()
    ids: list[str] = []

    async def one(k: int) -> None:
        body = HEADERS % k + BODY
        ids.append(new_mail_id(clock.now()))
        mail = Accepted(
            mail_id=ids[-1],
            at=int(clock.now() * 1000),
            reverse_path="ann@here.test",
            obligations=[
                Obligation(n=n, kind="remote", address=f"bob{n}@far.test", original=f"bob{n}@far.test")
                for n in range(recipients)
            ],
            trace=TRACE,
            size=len(body),
            headers=(HEADERS % k).decode(),
            subject="what a mail costs",
            message_id=f"<{k}@here.test>",
        )
        await journal.append(mail, body)

    for start in range(0, count, 20):  # twenty at a time: a batch of twenty sessions
        await asyncio.gather(*[one(k) for k in range(start, min(start + 20, count))])
    await publisher.idle()
    await journal.close()
    await publisher.close()
    return ids


async def done(bus: Bus, ids: list[str]) -> None:
    """Until all are in the ledger: nothing is missing and nothing is queued."""
    while True:
        with contextlib.suppress(NoResponders):
            missing = await call(bus, RELAY_MISSING, MissingRequest(keys=[Key(mail_id=ids[-1], n=0)]))
            if not missing.keys and not (await call(bus, QUEUE_LIST, QueueListRequest(limit=1))).items:
                return
        await asyncio.sleep(0.2)  # a question costs as much as a message


async def main(mode: str, count: int, recipients: int, profile: bool) -> None:
    ours, theirs = multiprocessing.Pipe()
    host = multiprocessing.get_context("spawn").Process(target=sink, args=(theirs,), daemon=True)
    host.start()
    port = ours.recv()
    routes = {"far.test": f"127.0.0.1:{port}"} if mode == "direct" else {}
    with tempfile.TemporaryDirectory() as folder:
        nats = EmbeddedNats(Path(folder) / "nats")
        await nats.start()
        bus = await connect(nats.url, name="bench")
        ids = await fill(bus, Path(folder) / "journal", count, recipients)
        if profile:
            await profiled(folder, nats.url, routes, bus, ids)
        else:
            await measured(folder, nats.url, routes, bus, ids, f"{mode}, {recipients} recipients")
        await bus.close()
        await nats.stop()
    host.terminate()


async def measured(folder: str, url: str, routes: dict[str, str], bus: Bus, ids: list[str], what: str) -> None:
    environment = {
        **os.environ,
        "BARID_DATA": folder,
        "BARID_BUS_URL": url,
        "BARID_HOSTNAME": "relay.here.test",
        "BARID_ROUTES": json.dumps(routes),
        "BARID_LOG_FORMAT": "json",
    }
    with open(Path(folder) / "log", "wb") as log:  # noqa: ASYNC230 - once
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "barid_relay", env=environment, stdout=log, stderr=log
        )
        while True:  # its start is not the mails' price
            with contextlib.suppress(NoResponders):
                await call(bus, RELAY_MISSING, MissingRequest(keys=[]))
                break
            await asyncio.sleep(0.002)
        cpu, wall = cpu_of(child.pid), time.perf_counter()
        await done(bus, ids)
        wall = time.perf_counter() - wall
        user, system = ((after - before) / len(ids) * 1e6 for after, before in zip(cpu_of(child.pid), cpu, strict=True))
        print(f"{what}: {user:.0f} + {system:.0f} µs CPU (user, system) a message, {len(ids) / wall:.0f} messages/s")  # noqa: T201
        child.terminate()
        await child.wait()


async def profiled(folder: str, url: str, routes: dict[str, str], bus: Bus, ids: list[str]) -> None:
    from barid_relay.adapters.doors import opener
    from barid_relay.handlers.service import Relay
    from barid_relay.settings import Settings
    from barid_runtime.metrics import Metrics

    settings = Settings(data=Path(folder), bus_url=url, hostname="relay.here.test", routes=routes)
    metrics = Metrics("relay", CollectorRegistry())
    relay = Relay(settings, opener(settings, metrics), metrics)
    profiler = cProfile.Profile()
    profiler.enable()
    await relay.start()
    await done(bus, ids)
    profiler.disable()
    await relay.drain()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    words = dict(enumerate(sys.argv[1:]))
    uvloop.run(main(words.get(0, "direct"), int(words.get(1, 3000)), int(words.get(2, 1)), words.get(3) == "profile"))
