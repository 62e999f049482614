"""What settling costs a whole mailstore process, bus and events included.

Run: python services/mailstore/bench/settle_on_the_bus.py [batch] [recipients] [concurrent requests]
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from settle_price import MESSAGES, requests

from barid_contracts.settle import SETTLE
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import NoResponders

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Seconds, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def main(batch: int, recipients: int, concurrent: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        nats = EmbeddedNats(Path(folder) / "nats")
        await nats.start()
        environment = {**os.environ, "BARID_DATA": folder, "BARID_BUS_URL": nats.url, "BARID_LOG_LEVEL": "error"}
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "barid_mailstore", env=environment)
        bus = await connect(nats.url, name="bench")
        payloads = iter(requests(batch, recipients) + requests(batch, recipients))

        async def settle(count: int) -> None:
            for _ in range(count):
                payload = next(payloads, None)
                if payload is None:
                    return
                await bus.request(SETTLE.subject, payload)

        while True:
            try:
                await settle(1)
                break
            except NoResponders:
                await asyncio.sleep(0.02)
        await settle(20)  # what is slow once: mailboxes, imports, caches
        left = (2 * MESSAGES // batch - 21) * batch
        cpu, wall = cpu_of(child.pid), time.perf_counter()
        await asyncio.gather(*[settle(MESSAGES) for _ in range(concurrent)])
        cpu, wall = cpu_of(child.pid) - cpu, time.perf_counter() - wall
        print(  # noqa: T201
            f"batch {batch}, {recipients} recipients, {concurrent} at once: {cpu / left * 1e6:.0f} µs CPU a message,"
            f" {left / wall:.0f} messages/s"
        )
        child.terminate()
        await child.wait()
        await bus.close()
        await nats.stop()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    uvloop.run(main(*(numbers + [50, 1, 4][len(numbers) :])))
