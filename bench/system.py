"""The system under measurement: `barid up` as a user runs it, with the processes' CPU and memory."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIEVE = """require ["fileinto"];
if header :contains "X-Spam-Flag" "YES" { fileinto "Junk"; stop; }
if allof (header :contains "Subject" "[list]", address :domain :is "from" "lists.example.org") {
  fileinto "Lists"; stop;
}
"""
PASSWORD = "secret"
DOMAIN = "bench.test"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class System:
    """A running Barid. `ready_seconds` is from the command to the ready file."""

    process: subprocess.Popen[bytes]
    folder: Path
    ready: dict[str, object]
    ready_seconds: float

    def endpoint(self, name: str) -> tuple[str, int]:
        host, _, port = str(self.ready[name]).rpartition(":")
        return host, int(port)

    def endpoints(self, service: str, listener: str) -> list[tuple[str, int]]:
        """One of each of its processes."""
        found: list[tuple[str, int]] = []
        for member, ports in self._told()["listeners"].items():
            if kind(member) == service:
                host, _, port = ports[listener].rpartition(":")
                found.append((host, int(port)))
        return found

    def puts(self) -> int:
        """Objects that reached the bucket so far."""
        return sum(1 for _ in (self.folder / "data" / "objects" / "buckets").rglob("*") if _.is_file())

    def _told(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "ready.json").read_text()))

    def pids(self) -> dict[str, int]:
        """Processes by the names of what runs in them, as the system tells them; restarts change them."""
        told: dict[str, int] = self._told()["pids"]
        names: dict[int, list[str]] = {}
        for name, pid in told.items():
            names.setdefault(pid, []).append(name)
        # A process of several services has the name of the first: `barid` where it holds all.
        return {each[0]: pid for pid, each in names.items()}

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by what the processes are: replicas count together."""
        spent: dict[str, float] = {}
        for name, pid in self.pids().items():
            spent[kind(name)] = spent.get(kind(name), 0.0) + sum(_cpu_seconds(each) for each in self._family(name, pid))
        return spent

    def memory(self) -> dict[str, float]:
        """Proportional set size in MB, likewise."""
        used: dict[str, float] = {}
        for name, pid in self.pids().items():
            used[kind(name)] = used.get(kind(name), 0.0) + sum(_pss_mb(each) for each in self._family(name, pid))
        return used

    @staticmethod
    def _family(name: str, pid: int) -> list[int]:
        """PostgreSQL has a process for each connection; no other process has children that aren't named themselves."""
        if name != "postgres":
            return [pid]
        return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def kind(member: str) -> str:
    """Of `mda-2`: `mda`."""
    return re.sub(r"-\d+$", "", member)


def start(
    accounts: int, *, processes: int | None = None, sieve: bool = True, size: str = "embedded", replicas: str = ""
) -> System:
    """Start on a fresh folder with `u000`… as accounts, all with the two-rule Sieve script. replicas: as
    of `barid up`."""
    folder = Path(tempfile.mkdtemp(prefix="barid-bench-", dir=os.environ.get("BENCH_DIR")))
    # Root's PostgreSQL runs as somebody else, who must get through to its own folder.
    folder.chmod(0o711)
    (folder / "users").write_text("".join(f"u{i:03d}@{DOMAIN}:{PASSWORD}\n" for i in range(accounts)))
    (folder / "script.sieve").write_text(SIEVE)
    command = [str(Path(sys.executable).parent / "barid"), "up", "--data", str(folder / "data"), "--allow-plaintext"]
    command += ["--ephemeral", "--ready-file", str(folder / "ready.json")]
    command += ["--accounts", str(folder / "users")]
    command += ["--sieve", str(folder / "script.sieve")] if sieve else []
    command += ["--processes", str(processes)] if processes else []
    command += ["--size", size] if size != "embedded" else []
    command += ["--replicas", replicas] if replicas else []
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    while not (folder / "ready.json").exists():
        if process.poll() is not None or time.perf_counter() - began > 60:
            last_words = (folder / "log").read_text()[-3000:]
            System(process, folder, {}, 0.0).stop()
            raise RuntimeError(last_words)
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    return System(process, folder, json.loads((folder / "ready.json").read_text()), seconds)


def busy() -> float:
    """Seconds of CPU so far, of everything on this machine."""
    user, nice, system, _, _, *rest = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    # What the hypervisor took is counted too: nobody here had it. Guests' time is in the users' already.
    return sum(int(ticks) for ticks in (user, nice, system, *rest[:3])) / TICKS


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # With that of children that have ended: PostgreSQL's come and go.
        return sum(int(ticks) for ticks in fields[11:15]) / TICKS
    return 0.0


def _pss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
