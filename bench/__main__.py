"""Measure what a message costs, on the running system: `make bench`.

Of one size (`--size`, `--replicas`): accepted/s, end-to-end/s, CPU by process, notification latency, start-up, memory:

    throughput   1, 20 and 100 sessions
    recipients   ten of each message
    latency      250 to the notification in IDLE
    start        from the command to the ready file; memory

Of both sizes beside each other:

    sizes        500 sessions: embedded, and cluster with a process of each service, in turns
    replicas     500 sessions on the cluster: 1, 2, 3 of smtp_ingress; then of everything
    puts         objects written to the bucket for 1,000 messages at 10, 100 and 1,000 a second

`--rounds N` repeats each load; figures are medians. Everything runs on loopback and in a temporary folder (BENCH_DIR).
"""

import argparse
import json

import uvloop

from bench import system
from bench.cluster import compare_replicas, compare_sizes, count_puts, line, measured
from bench.measures import ACCOUNTS, Throughput, latency, start_up, throughput

PEER_END_TO_END = 356.0
"""Postfix + Dovecot (mdbox), end to end per second, 4 KB, 20 sessions, on the machine of docs/performance.md."""
PEER_COPIES = 812.0
PEER_CPU = 4.82
"""Its seconds of CPU per 1,000 messages."""

ONE_SIZE = ("throughput", "recipients", "latency", "start")
BOTH_SIZES = ("sizes", "replicas", "puts")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=3000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--processes", type=int, default=None, help="as of `barid up`; default: one for each service")
    options.add_argument("--size", choices=["embedded", "cluster"], default="embedded")
    options.add_argument("--replicas", default="", help="as of `barid up`")
    options.add_argument("--only", choices=[*ONE_SIZE, *BOTH_SIZES], action="append")
    chosen = options.parse_args()
    steps = chosen.only or [*ONE_SIZE, *BOTH_SIZES]
    if {"throughput", "recipients", "latency"} & set(steps):
        _one_size(chosen, steps)
    if "start" in steps:
        for processes in (1, None):
            print("start:", json.dumps(start_up(processes, chosen.size)), flush=True)
    if "sizes" in steps:
        compare_sizes(chosen.messages, chosen.rounds)
    if "replicas" in steps:
        compare_replicas(chosen.messages, chosen.rounds)
    if "puts" in steps:
        count_puts()


def _one_size(chosen: argparse.Namespace, steps: list[str]) -> None:
    target = system.start(ACCOUNTS, processes=chosen.processes, size=chosen.size, replicas=chosen.replicas)
    try:
        uvloop.run(throughput(target, 10, 300))
        if "throughput" in steps:
            # One at a time each waits for the window of the bucket.
            alone = 1000 if chosen.size == "embedded" else 100
            for sessions in (1, 20, 100):
                middle = measured(target, sessions, chosen.messages if sessions > 1 else alone, chosen.rounds)
                say(middle, middle.end_to_end, PEER_END_TO_END)
        if "recipients" in steps:
            many = uvloop.run(throughput(target, 20, 500, recipients=10))
            say(many, many.copies, PEER_COPIES)
        if "latency" in steps:
            print("250 to IDLE notification:", json.dumps(uvloop.run(latency(target))), flush=True)
    finally:
        target.stop()


def say(result: Throughput, figure: float, peer: float) -> None:
    print(line(result))
    cpu = PEER_CPU / result.cpu_s_per_1000
    print(f"  {figure / peer:.1f}x Postfix + Dovecot; {cpu:.1f}x by CPU per message", flush=True)


if __name__ == "__main__":
    main()
