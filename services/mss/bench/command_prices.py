"""What the everyday commands of one session cost: `python services/mss/bench/command_prices.py [rounds]`.

Each service is a process of its own, as in the default size. For each command: how long the client waits (median), and
the CPU of every process that takes part, user and system, a command. A single session is the dearest case: nothing is
shared with anybody, and every process wakes up for each question.
"""

# ruff: noqa: T201

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from session_prices import BODY, Client, deliver, system

from barid_contracts.mail import Accepted
from barid_directory.handlers.bootstrap import bootstrap
from barid_runtime.bus.port import BusError
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.packs import PackJournal

TICK = os.sysconf("SC_CLK_TCK")


def ticks(pid: int) -> int:
    """CPU of a process, user and system, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def nats_of() -> int:
    """The bus is our child, too."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if "nats-server" in stat.partition(")")[0] and stat.rpartition(")")[2].split()[1] == str(os.getpid()):
                return int(entry.name)
    raise LookupError("no nats-server among our children")


async def main(rounds: int) -> None:
    async with system() as (bus, pids, data):
        pids = {**pids, "nats": nats_of()}
        while True:
            try:
                (account,) = await bootstrap(bus, [("bob@here.test", "secret-word")])
                client = await Client.log_in()
                await client.ask("STATUS INBOX (MESSAGES)")
                break
            except (BusError, OSError, AssertionError):
                await asyncio.sleep(0.1)
        journal = PackJournal(data / "journal", "bench")
        ref = await journal.append(
            Accepted(mail_id=new_mail_id(time.time()), at=0, reverse_path="", size=len(BODY)), BODY
        )
        await deliver(bus, account.id, 1_000, ref)
        await client.ask("SELECT INBOX")
        newest = 1_000

        async def price(name: str, ask: Callable[[], Awaitable[object]], times: int = rounds) -> None:
            for _ in range(20):
                await ask()
            before = {service: ticks(pid) for service, pid in pids.items()}
            waits = []
            for _ in range(times):
                began = time.perf_counter()
                await ask()
                waits.append(time.perf_counter() - began)
            used = {service: (ticks(pid) - before[service]) / TICK / times * 1e6 for service, pid in pids.items()}
            each = "  ".join(f"{service} {used[service]:5.0f}" for service in ("mss", "mailstore", "nats", "directory"))
            print(f"{name:34} {statistics.median(waits) * 1e6:6.0f} us  CPU {sum(used.values()):5.0f} us: {each}")

        def command(line: str) -> Callable[[], Awaitable[object]]:
            return lambda: client.ask(line)

        async def one_more() -> None:
            nonlocal newest
            await deliver(bus, account.id, 1, ref, 1)
            newest += 1

        async def fetch_new() -> None:
            await one_more()
            await client.ask("NOOP")
            await client.ask(f"UID FETCH {newest} (UID FLAGS RFC822.SIZE BODY.PEEK[])")

        async def delivered_in_idle() -> None:
            await one_more()
            while b"EXISTS" not in await client.reader.readline():
                pass

        await price("CAPABILITY (no other process)", command("CAPABILITY"))
        await price("NOOP", command("NOOP"))
        await price("STATUS of another mailbox", command("STATUS Sent (MESSAGES UNSEEN UIDNEXT)"))
        await price("STATUS of the selected mailbox", command("STATUS INBOX (MESSAGES)"))
        await price("SELECT (1,000 messages, known)", command("SELECT INBOX"), rounds // 4)
        await price('LIST "" *', command('LIST "" *'))
        await price("UID FETCH 1:* (FLAGS)", command("UID FETCH 1:* (FLAGS)"), rounds // 4)
        await price("FETCH 5 ENVELOPE, known", command("FETCH 5 (ENVELOPE RFC822.SIZE)"))
        await price("FETCH 5 BODY.PEEK[]", command("FETCH 5 BODY.PEEK[]"))
        await price("STORE 5 +FLAGS, changes nothing", command("STORE 5 +FLAGS (\\Flagged)"))
        await price("a delivery alone", one_more, rounds // 4)
        await price("delivery, NOOP, FETCH of it whole", fetch_new, rounds // 4)
        client.writer.write(b"i IDLE\r\n")
        await client.reader.readline()
        await price("a delivery, told in IDLE", delivered_in_idle, rounds // 4)
        await journal.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
