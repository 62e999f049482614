"""What is measured of a running system: rates, CPU, waiting times, start-up and memory."""

import asyncio
import resource
import statistics
import time
from dataclasses import dataclass

from bench import load, system, watch

ACCOUNTS = 100
"""`u000` to `u099`, each the recipient of every hundredth message."""

USERS = [f"u{i:03d}" for i in range(ACCOUNTS)]


@dataclass(frozen=True, slots=True)
class Throughput:
    """cpu_us: of a message, by what the processes are. sender_us: of this process, which shares the machine. puts: of
    1,000 messages. Rates are per second, waiting times from a message's dot to its 250. others: cores that were
    busy with what is neither ours nor the sender: on a quiet machine next to none."""

    sessions: int
    recipients: int
    messages: int
    accepted: float
    end_to_end: float
    cpu_us: dict[str, int]
    sender_us: int
    p50_ms: float
    p99_ms: float
    puts: float
    puts_per_s: float
    others: float
    errors: list[str]

    @property
    def copies(self) -> float:
        return self.end_to_end * self.recipients

    @property
    def cpu_s_per_1000(self) -> float:
        return sum(self.cpu_us.values()) / 1000


async def throughput(
    target: system.System, sessions: int, total: int, recipients: int = 1, per_second: float | None = None
) -> Throughput:
    """Send, and wait until every copy is counted by IMAP's STATUS. per_second: None is as fast as it goes."""
    readers = {
        u: await watch.Reader.login(*target.endpoint("imap"), f"{u}@{system.DOMAIN}", system.PASSWORD) for u in USERS
    }
    wanted = {u: await reader.count() for u, reader in readers.items()}

    def recipients_of(serial: int) -> list[str]:
        return [f"{USERS[(serial * recipients + k) % ACCOUNTS]}@{system.DOMAIN}" for k in range(recipients)]

    run = load.Load(
        target.endpoints("smtp_ingress", "smtp"), f"u000@{system.DOMAIN}", recipients_of, total, sessions,
        per_second=per_second,
    )  # fmt: skip
    cpu, own, puts, busy = target.cpu(), _own_cpu(), target.puts(), system.busy()
    await run.run()
    refused = set(run.refused)
    for serial in set(range(total)) - refused:
        for address in recipients_of(serial):
            wanted[address.partition("@")[0]] += 1
    await watch.until_counted(readers, wanted)
    visible = time.perf_counter() - run.began
    spent = {name: round((after - cpu.get(name, 0.0)) * 1e6 / total) for name, after in target.cpu().items()}
    own, puts, busy = _own_cpu() - own, target.puts() - puts, system.busy() - busy
    for reader in readers.values():
        reader.close()
    sending = run.last_ok - run.began
    return Throughput(
        sessions=sessions,
        recipients=recipients,
        messages=total,
        accepted=run.accepted / sending,
        end_to_end=run.accepted / visible,
        cpu_us=spent,
        sender_us=round(own * 1e6 / total),
        p50_ms=run.latency_ms(0.5),
        p99_ms=run.latency_ms(0.99),
        puts=puts * 1000 / total,
        puts_per_s=puts / sending,
        others=max(0.0, busy - own - sum(spent.values()) * total / 1e6) / visible,
        errors=run.errors[:3],
    )


async def latency(target: system.System, total: int = 100) -> dict[str, float]:
    """Milliseconds from a message's 250 to the notification of its recipient, who waits in IDLE."""
    reader = await watch.Reader.login(*target.endpoint("imap"), f"u001@{system.DOMAIN}", system.PASSWORD)
    await reader.idle()
    smtp = target.endpoints("smtp_ingress", "smtp")
    times: list[float] = []
    for _ in range(total):
        one = load.Load(smtp, f"u000@{system.DOMAIN}", lambda _: [f"u001@{system.DOMAIN}"], 1, 1)
        waiting = asyncio.create_task(reader.next_exists())
        await one.run()
        await waiting
        times.append((time.perf_counter() - one.last_ok) * 1000)
        await asyncio.sleep(0.03)
    reader.close()
    times.sort()
    return {"p50_ms": round(statistics.median(times), 2), "p99_ms": round(times[int(len(times) * 0.99) - 1], 2)}


def start_up(processes: int | None, size: str = "embedded") -> dict[str, object]:
    """From the command to the ready file; memory a second after."""
    target = system.start(2, processes=processes, sieve=False, size=size)
    try:
        time.sleep(1)
        memory = target.memory()
    finally:
        target.stop()
    return {
        "size": size,
        "processes": processes or "default",
        "ready_s": round(target.ready_seconds, 2),
        "memory_mb": round(sum(memory.values()), 1),
        "memory_mb_by_process": {name: round(mb, 1) for name, mb in memory.items()},
    }


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
