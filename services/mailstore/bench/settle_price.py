"""What settling costs: CPU µs a message, parse and commit included, without the bus.

Run: python services/mailstore/bench/settle_price.py [batch] [recipients] [replicas]

replicas: that share a real PostgreSQL, all in this process; none: a file of SQLite. The server's CPU is told apart.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_contracts.settle import SettleRequest
from barid_mailstore.adapters.tables.store import open_store
from barid_mailstore.policy.changes import account_changed
from barid_mailstore.ports.store import Store
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.ids import new_mail_id

MESSAGES = 5_000
ACCOUNTS = 100
CONCURRENT = 4

REPETITIONS = 3
"""The best of them counts: what others do on the machine only adds."""


def requests(batch: int, recipients: int) -> list[bytes]:
    made = []
    serial = 0
    for start in range(0, MESSAGES, batch):
        mails, settlements = [], []
        for k in range(batch):
            mail_id = new_mail_id(time.time())
            obligations = []
            for n in range(recipients):
                account = f"account{serial % ACCOUNTS:022d}"
                serial += 7
                address = f"u{serial % ACCOUNTS:03d}@bench.test"
                obligations.append(Obligation(n=n, kind="account", address=address, original=address, account=account))
                settlements.append(
                    {"mail_id": mail_id, "n": n, "account": account, "outcome": "filed", "delivered_to": address}
                )
            mails.append(
                Accepted(
                    mail_id=mail_id,
                    at=int(time.time() * 1000),
                    reverse_path="bounce@bench.test",
                    obligations=obligations,
                    trace="Received: from client.test ([127.0.0.1])\r\n\tby mx.test (Barid) with ESMTP id X;\r\n"
                    "\tMon, 23 Nov 2026 15:00:00 +0000\r\n",
                    size=4096,
                    headers="From: A <a@bench.test>\r\nTo: u@bench.test\r\nSubject: hello\r\n"
                    + "X-Filler: abcdefgh\r\n" * 15,
                    envelope='("Mon, 23 Nov 2026 15:00:00 +0000" "hello" (("A" NIL "a" "bench.test"))'
                    ' NIL NIL NIL NIL NIL NIL "<1@bench.test>")',
                    structure='("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 3500 60 NIL NIL NIL NIL)',
                    message_id=f"<{mail_id}@bench.test>",
                    subject="hello",
                    received_count=1,
                    ref=BodyRef(pack="smtp_ingress.X/000001.pack", offset=(start + k) * 5000, head=900, size=4096),
                )
            )
        accepted = AcceptedBatch(mails=mails).model_dump_json().encode()
        made.append(b'{"accepted":' + accepted + b',"settlements":' + json.dumps(settlements).encode() + b"}")
    return made


@dataclass(frozen=True)
class Price:
    """µs a message; of the server 0 where there is none."""

    cpu: float
    server: float
    copies_a_second: float
    events: int


def server_seconds(pid: int | None) -> float:
    """CPU of the server and its processes, those that ended included."""
    ticks = 0
    for entry in Path("/proc").iterdir() if pid is not None else ():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if pid in (int(fields[1]), int(entry.name)):
                ticks += sum(map(int, fields[11:13])) + (sum(map(int, fields[13:15])) if entry.name == str(pid) else 0)
    return ticks / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def places(replicas: int) -> AsyncIterator[tuple[list[Place], int | None]]:
    """Where each store's tables stand, and the server's process."""
    with tempfile.TemporaryDirectory() as folder:
        if not replicas:
            yield [Place(Path(folder) / "mailstore.db")], None
            return
        Path(folder).chmod(0o711)  # noqa: ASYNC240
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await server.start()
        try:
            yield [Place(Path(folder), server.url(), "mailstore")] * replicas, server.pid
        finally:
            await server.stop()


async def measure(batch: int, recipients: int, replicas: int) -> Price:
    async with places(replicas) as (where, pid), AsyncExitStack() as stack:
        stores = []
        for place in where:
            store, _, database = await open_store(place, SystemClock())
            stack.push_async_callback(database.close)
            stores.append(store)
        made = requests(batch, recipients)
        payloads = iter(made)
        # Accounts are made before.
        for payload in made[:ACCOUNTS]:
            for settlement in json.loads(payload)["settlements"]:
                await stores[0].mailboxes.touch(settlement["account"])
        events = 0

        async def settle(store: Store) -> None:
            nonlocal events
            for payload in payloads:
                commit = await store.settling.settle(SettleRequest.model_validate_json(payload))
                for delta in commit.deltas:
                    account_changed(delta)
                    events += 1

        server, cpu, wall = server_seconds(pid), time.process_time(), time.perf_counter()
        await asyncio.gather(*[settle(stores[k % len(stores)]) for k in range(CONCURRENT * len(stores))])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        server = server_seconds(pid) - server
        return Price(cpu / MESSAGES * 1e6, server / MESSAGES * 1e6, MESSAGES * recipients / wall, events)


async def main(batch: int = 50, recipients: int = 1, replicas: int = 0) -> None:
    found = [await measure(batch, recipients, replicas) for _ in range(REPETITIONS)]
    best = min(found, key=lambda price: price.cpu)
    where = f"{replicas} on PostgreSQL" if replicas else "SQLite"
    print(  # noqa: T201
        f"{where}, batch {batch}, {recipients} recipients: {best.cpu:.0f} µs CPU a message"
        f" ({best.cpu / recipients:.0f} a copy), server {best.server:.0f};"
        f" {max(price.copies_a_second for price in found):.0f} copies/s; {best.events} events"
    )


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:4])))
