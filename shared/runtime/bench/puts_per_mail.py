"""PUTs for 1,000 mails at 10, 100 and 1,000 mails a second, and how long an append takes, against a real S3 server.

    python shared/runtime/bench/puts_per_mail.py [--seconds 10] [--window 0.1]

Mails come as a Poisson stream of 4 KB each; the server (rclone, on this machine) shares the cores with the writer.
"""

import argparse
import asyncio
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.objects.embedded import EmbeddedS3
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of, mail_of

BODY = body_of(4096)


async def measure(place: S3Place, root: Path, rate: float, seconds: float) -> None:
    journal = BucketJournal(root, "bench", Bucket(place, connections=10), place)
    took: list[float] = []

    async def one() -> None:
        begun = time.perf_counter()
        await journal.append(mail_of(len(BODY)), BODY)
        took.append(time.perf_counter() - begun)

    await one()
    before, batches, cpu = journal.appended, journal.batches, time.process_time()
    chance = random.Random(1)  # noqa: S311 - a load that can be repeated
    loop = asyncio.get_running_loop()
    due = end = loop.time()
    end += seconds
    tasks: list[asyncio.Task[None]] = []
    while due < end:
        due += chance.expovariate(rate)
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        tasks.append(loop.create_task(one()))
    await asyncio.gather(*tasks)
    mails, puts, cpu = journal.appended - before, journal.batches - batches, time.process_time() - cpu
    await journal.close()
    took.sort()
    print(  # noqa: T201
        f"{rate:6.0f}/s: {mails} mails, {1000 * puts / mails:6.1f} PUTs per 1,000, {puts / seconds:5.1f} a second; "
        f"append p50 {1000 * took[len(took) // 2]:.0f} ms, p99 {1000 * took[len(took) * 99 // 100]:.0f} ms; "
        f"{1e6 * cpu / mails:.0f} us of CPU a mail"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--window", type=float, default=0.1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedS3(Path(folder, "s3"))
        await server.start()
        try:
            place = replace(server.place, window=options.window)
            for rate in (10.0, 100.0, 1000.0):
                await measure(place, Path(folder, "journal"), rate, options.seconds)
        finally:
            await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
