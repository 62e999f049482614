"""What settling costs: CPU µs a message, parse and commit included, without the bus.

Run: python services/mailstore/bench/settle_price.py [batch] [recipients]
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_contracts.settle import SettleRequest
from barid_mailstore.adapters.tables.store import table_store
from barid_mailstore.policy.changes import account_changed
from barid_runtime.clock import SystemClock
from barid_runtime.database.migrations import migrate
from barid_runtime.database.sqlite import open_database
from barid_runtime.ids import new_mail_id

MESSAGES = 5_000
ACCOUNTS = 100
CONCURRENT = 4

REPETITIONS = 5
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


async def measure(batch: int, recipients: int) -> tuple[float, float, int]:
    """CPU µs a message, copies a second, events."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mailstore.db"
        await migrate(path, "barid_mailstore.adapters.migrations")
        database = open_database(path)
        store, _ = table_store(database, SystemClock())
        payloads = iter(requests(batch, recipients))
        events = 0

        async def settle() -> None:
            nonlocal events
            for payload in payloads:
                commit = await store.settling.settle(SettleRequest.model_validate_json(payload))
                for delta in commit.deltas:
                    account_changed(delta)
                    events += 1

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*[settle() for _ in range(CONCURRENT)])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        await database.close()
        return cpu / MESSAGES * 1e6, MESSAGES * recipients / wall, events


async def main(batch: int, recipients: int) -> None:
    price, rate, events = min([await measure(batch, recipients) for _ in range(REPETITIONS)])
    print(  # noqa: T201
        f"batch {batch}, {recipients} recipients: {price:.0f} µs CPU a message, {price / recipients:.0f} a copy;"
        f" {rate:.0f} copies/s; {events} events"
    )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
