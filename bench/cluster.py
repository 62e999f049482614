"""The cluster size beside the embedded one, all on this machine: `barid up --size cluster` brings its servers along."""

import time

import uvloop

from bench import system
from bench.measures import ACCOUNTS, Throughput, throughput

SESSIONS = 500

PACES = {10: 20, 100: 100, 1000: 500}
"""Messages a second → sessions, of which at most a third are busy."""

PACE_SECONDS = 10

SETTLE_SECONDS = 2.0
"""After a start, until what is done once is over."""

WARMING = 1000
"""Messages before anything is counted, for each process that takes them."""

SERVICES = ("directory", "mailstore", "mda", "relay", "smtp_ingress", "mss", "admin")


def replicas(count: int, **others: int) -> str:
    """As `barid up --replicas` takes it: so many of each service, but for those told apart."""
    return ",".join(f"{service}={others.get(service, count)}" for service in SERVICES)


def compare_sizes(messages: int, rounds: int) -> None:
    for _ in range(rounds):
        print("embedded", line(_run("embedded", "", messages, 1)), flush=True)
        print("cluster ", line(_run("cluster", replicas(1), messages, 1)), flush=True)


def compare_replicas(messages: int, rounds: int) -> None:
    for count in (1, 2, 3):
        chosen = replicas(1, smtp_ingress=count)
        print(f"cluster, smtp_ingress x {count}", line(_run("cluster", chosen, messages, rounds)), flush=True)
    for count in (2, 3):
        print(f"cluster, all x {count}", line(_run("cluster", replicas(count), messages, rounds)), flush=True)


def count_puts() -> None:
    target = _start("cluster", replicas(1))
    try:
        for pace, sessions in PACES.items():
            result = uvloop.run(throughput(target, sessions, pace * PACE_SECONDS, per_second=pace))
            told = f"{result.accepted:.0f}/s: PUTs {result.puts:.0f} per 1,000, {result.puts_per_s:.1f}/s"
            others = f"others {result.others:.2f} cores"
            print(f"{told}; acceptance p50 {result.p50_ms:.0f} p99 {result.p99_ms:.0f} ms; {others}", flush=True)
    finally:
        target.stop()


def measured(target: system.System, sessions: int, messages: int, rounds: int) -> Throughput:
    """The median run, by its rate."""
    results = [uvloop.run(throughput(target, sessions, messages)) for _ in range(rounds)]
    return sorted(results, key=lambda result: result.end_to_end)[len(results) // 2]


def line(result: Throughput) -> str:
    parts = [
        f"{result.sessions} sessions",
        f"accepted {result.accepted:.0f}/s",
        f"end to end {result.end_to_end:.0f}/s",
        f"copies {result.copies:.0f}/s",
        f"acceptance p50 {result.p50_ms:.0f} p99 {result.p99_ms:.0f} ms",
        f"CPU {result.cpu_s_per_1000:.2f} s per 1,000",
        " ".join(f"{name} {spent}" for name, spent in result.cpu_us.items()) + f" (sender {result.sender_us}) µs",
    ]
    if result.puts:
        parts.append(f"PUTs {result.puts:.0f} per 1,000, {result.puts_per_s:.1f}/s")
    parts.append(f"others {result.others:.2f} cores")
    if result.errors:
        parts.append(f"refused: {result.errors}")
    return "; ".join(parts)


def _run(size: str, chosen: str, messages: int, rounds: int) -> Throughput:
    target = _start(size, chosen)
    try:
        return measured(target, SESSIONS, messages, rounds)
    finally:
        target.stop()


def _start(size: str, chosen: str) -> system.System:
    target = system.start(ACCOUNTS, size=size, replicas=chosen)
    time.sleep(SETTLE_SECONDS)
    # Each process learns all recipients, so that no one asks for them later.
    doors = len(target.endpoints("smtp_ingress", "smtp"))
    uvloop.run(throughput(target, 50, WARMING * doors))
    return target
