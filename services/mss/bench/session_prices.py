"""What sessions cost: `python services/mss/bench/session_prices.py [sessions]`. Each service is a process of its own.

Prints, for a mailbox of 10,000 messages: FETCH of all flags and envelopes, STATUS and NOOP rates with the server's CPU,
the way of a delivery to IDLE, CPU a delivered message, reading bodies, and memory a session at rest (plain and TLS).
"""

# ruff: noqa: T201, S106

import asyncio
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from barid_contracts import settle
from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_directory.handlers.bootstrap import bootstrap
from barid_protocols.mime import summarize
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.bus.typed import call
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.describe import describe
from barid_runtime.journal.packs import PackJournal

MESSAGES = 10_000
PORT = 23_000
TICK = os.sysconf("SC_CLK_TCK")
BODY = (
    b"From: Ann <ann@far.test>\r\nTo: bob@here.test\r\nSubject: a letter\r\nMessage-ID: <1@far.test>\r\n\r\n"
    + b"x" * 78 * 50
)


def cpu(pid: int) -> float:
    """Seconds used by a process, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> float:
    """Resident MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.count = reader, writer, 0

    @classmethod
    async def log_in(cls, *, tls: bool = False) -> "Client":
        context = None
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client = cls(*await asyncio.open_connection("127.0.0.1", PORT + (1 if tls else 0), ssl=context, limit=1 << 24))
        await client.reader.readline()
        await client.ask("LOGIN bob@here.test secret-word")
        return client

    async def ask(self, command: str) -> int:
        """Octets of the answer."""
        self.count += 1
        tag = b"t%d " % self.count
        self.writer.write(tag + command.encode() + b"\r\n")
        size = 0
        while not (line := await self.reader.readline()).startswith(tag):
            assert line
            size += len(line)
        assert line.startswith(tag + b"OK"), line
        return size


@asynccontextmanager
async def system() -> AsyncIterator[tuple[Bus, dict[str, int], Path]]:
    with tempfile.TemporaryDirectory(prefix="barid-bench-") as folder:
        data = Path(folder)
        nats = EmbeddedNats(data / "nats", users={"barid": "bench"})
        await nats.start()
        env = os.environ | {
            "BARID_DATA": folder,
            "BARID_BUS_URL": nats.url,
            "BARID_BUS_USER": "barid",
            "BARID_BUS_PASSWORD": "bench",
            "BARID_ALLOW_PLAINTEXT": "true",
            "BARID_IMAP_PORT": str(PORT),
            "BARID_IMAPS_PORT": str(PORT + 1),
            "BARID_POP3_PORT": str(PORT + 2),
            "BARID_POP3S_PORT": str(PORT + 3),
            "BARID_MAX_SESSIONS_PER_ACCOUNT": "5000",
            "BARID_LOG_LEVEL": "warning",
        }
        names = ("directory", "mailstore", "mss")
        processes = {
            name: subprocess.Popen([sys.executable, "-m", f"barid_{name}"], env=env)  # noqa: ASYNC220
            for name in names
        }
        bus = await connect(nats.url, user="barid", password="bench", name="bench")
        try:
            yield bus, {name: process.pid for name, process in processes.items()}, data
        finally:
            await bus.close()
            for process in processes.values():
                process.terminate()
                process.wait()
            await nats.stop()


async def deliver(bus: Bus, account: str, count: int, ref: BodyRef, batch: int = 50) -> None:
    summary = summarize(BODY)
    for at in range(0, count, batch):
        mails = [_mail(summary, account, ref) for _ in range(min(batch, count - at))]
        settlements = [
            settle.Settlement(
                mail_id=mail.mail_id, n=0, account=account, outcome="filed", filings=[settle.Filing(mailbox="INBOX")]
            )
            for mail in mails
        ]
        await call(
            bus, settle.SETTLE, settle.SettleRequest(accepted=AcceptedBatch(mails=mails), settlements=settlements)
        )


def _mail(summary: object, account: str, ref: BodyRef) -> Accepted:
    now = time.time()
    mail = describe(
        summary,  # type: ignore[arg-type]
        mail_id=new_mail_id(now),
        at=int(now * 1000),
        reverse_path="ann@far.test",
        obligations=[
            Obligation(n=0, kind="account", address="bob@here.test", original="bob@here.test", account=account)
        ],
    )
    return mail.model_copy(update={"ref": ref})


async def main(sessions: int) -> None:
    async with system() as (bus, pids, data):
        while True:
            try:
                (account,) = await bootstrap(bus, [("bob@here.test", "secret-word")])
                client = await Client.log_in()
                await client.ask("STATUS INBOX (MESSAGES)")
                break
            except (BusError, OSError, AssertionError):
                await asyncio.sleep(0.1)
        mss = pids["mss"]
        journal = PackJournal(data / "journal", "bench")
        ref = await journal.append(
            Accepted(mail_id=new_mail_id(time.time()), at=0, reverse_path="", size=len(BODY)), BODY
        )
        await deliver(bus, account.id, MESSAGES, ref)
        await client.ask("STATUS INBOX (MESSAGES)")

        async def timed(name: str, command: str, times: int = 1) -> None:
            before, began = cpu(mss), time.perf_counter()
            for _ in range(times):
                size = await client.ask(command)
            took, used = time.perf_counter() - began, cpu(mss) - before
            print(f"{name:32} {took / times * 1e3:9.3f} ms  mss CPU {used / times * 1e3:8.3f} ms  {size:>10} octets")

        await timed("SELECT, first", "SELECT INBOX")
        await timed("SELECT, again", "SELECT INBOX", 100)
        await timed("FETCH 1:* FLAGS", "FETCH 1:* FLAGS", 20)
        await timed("FETCH 1:* (UID FLAGS)", "FETCH 1:* (UID FLAGS)", 20)
        await timed("FETCH 1:* ENVELOPE, first", "FETCH 1:* (ENVELOPE RFC822.SIZE)")
        await timed("FETCH 1:* ENVELOPE, again", "FETCH 1:* (ENVELOPE RFC822.SIZE)")
        await timed("FETCH 1:1000 BODY.PEEK[]", "FETCH 1:1000 BODY.PEEK[]")
        await timed("FETCH 1:1000 BODY[]", "FETCH 1:1000 BODY[]")
        await timed("UID SEARCH UNSEEN", "UID SEARCH UNSEEN", 10)
        await timed("SEARCH SUBJECT nothing", "SEARCH SUBJECT nothing")
        await timed("SEARCH BODY nothing", "SEARCH BODY nothing")
        await timed("STATUS", "STATUS INBOX (MESSAGES)", 2000)
        await timed("NOOP", "NOOP", 2000)
        await timed("STORE +FLAGS", "STORE 1:100 +FLAGS (\\Flagged)", 1)

        many = [await Client.log_in() for _ in range(20)]

        async def poll(each: Client) -> None:
            for _ in range(500):
                await each.ask("STATUS INBOX (MESSAGES)")

        before, began = cpu(mss), time.perf_counter()
        await asyncio.gather(*[poll(each) for each in many])
        took, used = time.perf_counter() - began, cpu(mss) - before
        print(f"STATUS, 20 sessions              {10_000 / took:9.0f} /s  mss CPU {used / 10_000 * 1e6:6.0f} us each")

        client.writer.write(b"i IDLE\r\n")
        await client.reader.readline()
        waits = []
        for _ in range(100):
            began = time.perf_counter()
            delivering = asyncio.ensure_future(deliver(bus, account.id, 1, ref))
            while b"EXISTS" not in await client.reader.readline():
                pass
            waits.append(time.perf_counter() - began)
            await delivering
        waits.sort()
        print(f"SETTLE asked to EXISTS in IDLE   {waits[50] * 1e3:9.3f} ms median, {waits[98] * 1e3:.3f} ms p99")
        for batch in (1, 20, 100):
            before = cpu(mss)
            await deliver(bus, account.id, 5_000, ref, batch)
            await asyncio.sleep(0.2)
            print(
                f"deliveries in batches of {batch:<4}    mss CPU {(cpu(mss) - before) / 5_000 * 1e6:6.1f} us a message"
            )

        for tls in (False, True):
            before_memory = memory(mss)
            resting = []
            for _ in range(sessions):
                each = await Client.log_in(tls=tls)
                await each.ask("SELECT Drafts")
                each.writer.write(b"i IDLE\r\n")
                await each.reader.readline()
                resting.append(each)
            grown = memory(mss) - before_memory
            each_kb = grown / sessions * 1e3
            print(f"{sessions} sessions in IDLE, TLS {tls!s:5}  {each_kb:9.1f} KB each, {memory(mss):.0f} MB in all")
        await journal.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
