"""A whole Barid as a child of this process: started by its command, on ports and data of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

START_SECONDS = 120.0
"""Usually one, in the cluster size some; a machine that runs other tests beside takes longer."""

STOP_SECONDS = 30.0
POLL_SECONDS = 0.01
LOG_TAIL = 4_000


class Endpoint(NamedTuple):
    host: str
    port: int


class DidNotStart(Exception):
    """Its text is the end of the log."""


class Listener:
    """An attribute that is an endpoint. Of a service with several processes, each look at it names the next one, as a
    load balancer before them would."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, system: "RunningSystem", owner: type) -> Endpoint:
        return system.next_endpoint(self._name)


class RunningSystem:
    """Endpoints are attributes: `smtp`, `submission`, `imap`, … with `host` and `port`.

    options: further options of `barid up`. Log-ins are allowed without TLS, as everything is on loopback.
    """

    smtp = Listener()
    submission = Listener()
    submissions = Listener()
    lmtp = Listener()
    imap = Listener()
    imaps = Listener()
    pop3 = Listener()
    pop3s = Listener()
    admin = Listener()

    def __init__(self, folder: Path, options: Sequence[str] = (), *, processes: int = 1) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "log"
        self._options = [*options]
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None
        self._status: dict[str, Any] = {}
        self._endpoints: dict[str, list[Endpoint]] = {}
        self._turns: dict[str, int] = {}

    def start(self) -> Self:
        """Returns when everything answers. Raises DidNotStart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [
            *(_command(), "up", "--data", str(self.data), "--ready-file", str(ready), "--ephemeral"),
            *("--allow-plaintext", "--processes", str(self._processes), "--log-format", "json"),
            *self._options,
        ]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill_all()
                raise DidNotStart(f"{' '.join(command)}\n{self.log()}")
            time.sleep(POLL_SECONDS)
        self._read_status()
        return self

    def stop(self) -> None:
        """As Ctrl-C would; what does not end in time is killed, and that is an error."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"barid did not end in {STOP_SECONDS:.0f} s\n{self.log()}") from None

    def restart(self) -> None:
        """Stopped and started on the same data. The ports are others."""
        self.stop()
        self.start()

    def kill(self, name: str) -> int:
        """SIGKILL to the process of a service, or to `nats-server` or `barid`; its pid. Others start it again."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        if self._process is not None and pid == self._process.pid:
            self._process.wait()
            self._process = None
        return pid

    def kill_all(self) -> None:
        """SIGKILL to all its processes at one instant: none of them sees another one go."""
        pids = set(self.pids().values())
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pids(self) -> dict[str, int]:
        """By name; restarts change them. Several services may share a process."""
        with contextlib.suppress(OSError, ValueError):
            self._read_status()
        return dict(self._status.get("pids", {}))

    def wait_restarted(self, name: str, pid: int, within: float = 30.0) -> int:
        """Until the process that was `pid` has a successor; its pid."""
        until = time.monotonic() + within
        while (found := self.pids().get(name)) in (None, pid):
            if time.monotonic() > until:
                raise AssertionError(f"{name} was not started again in {within:.0f} s\n{self.log()}")
            time.sleep(POLL_SECONDS)
        assert found is not None
        return found

    def log(self, most: int = LOG_TAIL) -> str:
        """The end of the log."""
        try:
            return self.log_file.read_text(errors="replace")[-most:]
        except OSError:
            return ""

    def _read_status(self) -> None:
        self._status = json.loads((self.folder / "ready.json").read_text())
        found: dict[str, list[Endpoint]] = {}
        for listeners in self._status["listeners"].values():
            for name, address in listeners.items():
                host, _, port = address.rpartition(":")
                found.setdefault(name, []).append(Endpoint(host, int(port)))
        # At once: others may look at it meanwhile.
        self._endpoints = found

    def endpoints(self, name: str) -> list[Endpoint]:
        """Of a listener (`"imap"`): that of each process that has one. Raises LookupError before the start."""
        return self._endpoints[name]

    def next_endpoint(self, name: str) -> Endpoint:
        found = self.endpoints(name)
        self._turns[name] = turn = self._turns.get(name, -1) + 1
        return found[turn % len(found)]

    @property
    def listeners(self) -> list[str]:
        """Their names."""
        return [*self._endpoints]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def api_key(self) -> str:
        return str(self._status["api_key"])


def _command() -> str:
    """The `barid` beside this Python, else from PATH."""
    beside = Path(sys.executable).with_name("barid")
    found = str(beside) if beside.exists() else shutil.which("barid")
    if found is None:
        raise DidNotStart(
            "there is no `barid` command in this environment: install this project's own packages into it"
            " (a package of that name in a public registry is somebody else's)"
        )
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
