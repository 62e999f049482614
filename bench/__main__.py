"""Measure accepted/s, end-to-end/s, CPU by process, notification latency, start-up and memory: `make bench`.

`--rounds N` repeats each load; figures are medians. Everything runs on loopback and in a temporary folder (BENCH_DIR).
"""

import argparse
import asyncio
import json
import statistics
import time

import uvloop

from bench import load, system, watch

ACCOUNTS = 100
PEER_END_TO_END = 356.0
"""Postfix + Dovecot (mdbox), end to end per second, 4 KB, 20 sessions, on the machine of docs/performance.md."""
PEER_COPIES = 812.0
PEER_CPU = 4.82
"""Its seconds of CPU per 1,000 messages."""


async def throughput(target: system.System, sessions: int, total: int, recipients: int = 1) -> dict[str, object]:
    host, smtp = target.endpoint("smtp")
    users = [f"u{i:03d}" for i in range(ACCOUNTS)]
    readers = {
        u: await watch.Reader.login(*target.endpoint("imap"), f"{u}@{system.DOMAIN}", system.PASSWORD) for u in users
    }
    before = {u: await reader.count() for u, reader in readers.items()}

    def recipients_of(serial: int) -> list[str]:
        return [f"{users[(serial * recipients + k) % ACCOUNTS]}@{system.DOMAIN}" for k in range(recipients)]

    wanted = dict(before)
    for serial in range(total):
        for address in recipients_of(serial):
            wanted[address.partition("@")[0]] += 1
    run = load.Load(host, smtp, f"u000@{system.DOMAIN}", recipients_of, total, sessions)
    cpu = target.cpu()
    began = time.perf_counter()
    await run.run()
    accepted = run.last_ok - began
    await watch.until_counted(readers, wanted)
    visible = time.perf_counter() - began
    spent = {name: round((after - cpu.get(name, 0.0)) * 1000 / total, 3) for name, after in target.cpu().items()}
    for reader in readers.values():
        reader.close()
    return {
        "sessions": sessions,
        "recipients": recipients,
        "accepted_per_s": round(run.accepted / accepted),
        "end_to_end_per_s": round(run.accepted / visible),
        "copies_per_s": round(run.accepted * recipients / visible),
        "cpu_s_per_1000": round(sum(spent.values()), 3),
        "cpu_ms_by_process": spent,
        "errors": run.errors[:3],
    }


async def latency(target: system.System, total: int = 100) -> dict[str, float]:
    reader = await watch.Reader.login(*target.endpoint("imap"), f"u001@{system.DOMAIN}", system.PASSWORD)
    await reader.idle()
    times: list[float] = []
    for _ in range(total):
        one = load.Load(*target.endpoint("smtp"), f"u000@{system.DOMAIN}", lambda _: [f"u001@{system.DOMAIN}"], 1, 1)
        waiting = asyncio.create_task(reader.next_exists())
        await one.run()
        await waiting
        times.append((time.perf_counter() - one.last_ok) * 1000)
        await asyncio.sleep(0.03)
    reader.close()
    times.sort()
    return {"p50_ms": round(statistics.median(times), 2), "p99_ms": round(times[int(len(times) * 0.99) - 1], 2)}


def start_up(processes: int | None) -> dict[str, object]:
    target = system.start(2, processes=processes, sieve=False)
    time.sleep(1)
    memory = target.memory()
    target.stop()
    return {
        "processes": processes or "default",
        "ready_s": round(target.ready_seconds, 2),
        "memory_mb": round(sum(memory.values()), 1),
        "memory_mb_by_process": {name: round(mb, 1) for name, mb in memory.items()},
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--processes", type=int, default=None, help="as of `barid up`; default: one for each service")
    options.add_argument("--only", choices=["throughput", "recipients", "latency", "start"], action="append")
    chosen = options.parse_args()
    steps = chosen.only or ["throughput", "recipients", "latency", "start"]
    if {"throughput", "recipients", "latency"} & set(steps):
        target = system.start(ACCOUNTS, processes=chosen.processes)
        try:
            uvloop.run(throughput(target, 10, 300))
            if "throughput" in steps:
                for sessions in (1, 20, 100):
                    rounds = [
                        uvloop.run(throughput(target, sessions, chosen.messages if sessions > 1 else 1000))
                        for _ in range(chosen.rounds)
                    ]
                    middle = sorted(rounds, key=lambda r: float(str(r["end_to_end_per_s"])))[len(rounds) // 2]
                    say(middle, "end_to_end_per_s", PEER_END_TO_END)
            if "recipients" in steps:
                say(uvloop.run(throughput(target, 20, 500, recipients=10)), "copies_per_s", PEER_COPIES)
            if "latency" in steps:
                print("250 to IDLE notification:", json.dumps(uvloop.run(latency(target))))
        finally:
            target.stop()
    if "start" in steps:
        for processes in (1, None):
            print("start:", json.dumps(start_up(processes)))


def say(result: dict[str, object], figure: str, peer: float) -> None:
    ratio = float(str(result[figure])) / peer
    cpu = PEER_CPU / float(str(result["cpu_s_per_1000"]))
    print(json.dumps(result))
    print(f"  {ratio:.1f}x Postfix + Dovecot by {figure}; {cpu:.1f}x by CPU per message")


if __name__ == "__main__":
    main()
