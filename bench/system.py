"""The system under measurement: `barid up` as a user runs it, with the processes' CPU and memory."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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

    def pids(self) -> dict[str, int]:
        """Processes by the names of what runs in them, as the system tells them; restarts change them."""
        told = json.loads((self.folder / "ready.json").read_text())["pids"]
        names: dict[int, list[str]] = {}
        for name, pid in told.items():
            names.setdefault(pid, []).append(name)
        # A process of several services has the name of the first: `barid` where it holds all.
        return {each[0]: pid for pid, each in names.items()}

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by process."""
        return {name: _cpu_seconds(pid) for name, pid in self.pids().items()}

    def memory(self) -> dict[str, float]:
        """Proportional set size in MB, by process."""
        return {name: _pss_mb(pid) for name, pid in self.pids().items()}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def start(accounts: int, *, processes: int | None = None, sieve: bool = True, port_base: int = 21000) -> System:
    """Start on a fresh folder with `u000`… as accounts, all with the two-rule Sieve script."""
    folder = Path(tempfile.mkdtemp(prefix="barid-bench-", dir=os.environ.get("BENCH_DIR")))
    (folder / "users").write_text("".join(f"u{i:03d}@{DOMAIN}:{PASSWORD}\n" for i in range(accounts)))
    (folder / "script.sieve").write_text(SIEVE)
    command = [str(Path(sys.executable).parent / "barid"), "up", "--data", str(folder / "data"), "--allow-plaintext"]
    command += ["--port-base", str(port_base), "--ready-file", str(folder / "ready.json")]
    command += ["--accounts", str(folder / "users")]
    command += ["--sieve", str(folder / "script.sieve")] if sieve else []
    command += ["--processes", str(processes)] if processes else []
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    while not (folder / "ready.json").exists():
        if process.poll() is not None or time.perf_counter() - began > 60:
            raise RuntimeError((folder / "log").read_text()[-3000:])
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    return System(process, folder, json.loads((folder / "ready.json").read_text()), seconds)


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def _pss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
