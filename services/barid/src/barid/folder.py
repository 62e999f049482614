"""The data folder: who runs on it, the secrets made for it, where the running system answers.

    barid.lock              held (flock) by `barid up` and all its processes, until the last has ended
    running.json            what answers where, while it runs (mode 0600: it holds the API key)
    admin.json              the API's address and key, for `barid account …` and friends (mode 0600)
    secrets/bus.json        the services' passwords on the bus, made anew at each start
    secrets/accounts.json   the first accounts' passwords (mode 0600)
    restoring               a restore has begun and not ended: nothing may run on what is there

A crash leaves `running.json` behind; its lock says whether it is true.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

LOCK_SECONDS = 5.0
"""How long a start waits for the last processes of a system that was killed."""

Json = dict[str, Any]


class FolderError(Exception):
    """The data folder can't be used; the text says what to do. exit_code: of sysexits(3)."""

    def __init__(self, text: str, exit_code: int = os.EX_CANTCREAT) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def write_private(path: Path, content: Json) -> None:
    """Whole or not at all, for the owner's eyes only."""
    write_whole(path, json.dumps(content, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Readers see the old file or the new one, never a part."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def read_json(path: Path) -> Json | None:
    """None if there is none, or it isn't what we write."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


class DataFolder:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def running_file(self) -> Path:
        return self.path / "running.json"

    @property
    def admin_file(self) -> Path:
        return self.path / "admin.json"

    @property
    def accounts_file(self) -> Path:
        return self.path / "secrets" / "accounts.json"

    @property
    def restoring_file(self) -> Path:
        return self.path / "restoring"

    def refuse_half_restored(self) -> None:
        """Raises FolderError."""
        if self.restoring_file.exists():
            raise FolderError(
                f"{self.path} holds a restore that did not end: run the same `barid restore` again, or choose another"
                " folder with --data"
            )

    def prepare(self) -> None:
        """Make the folders. Raises FolderError.

        The journal's among them: its writers would find out at their first message that they can't write.
        """
        for folder in (self.path, self.path / "secrets", self.path / "journal"):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise FolderError(f"{folder}: {error.strerror}; choose another folder with --data") from error
            if not os.access(folder, os.W_OK | os.X_OK):
                raise FolderError(f"{folder} isn't ours to write; choose another folder with --data", os.EX_NOPERM)

    def lock(self) -> int:
        """Own the folder until the process, and all that inherit the descriptor, have ended. Raises FolderError."""
        try:
            lock = os.open(self.path / "barid.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FolderError(f"{self.path}: {error.strerror}; choose another folder with --data") from error
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
                # The command itself is there: no sense in waiting. Else its processes are just ending.
                if _alive(owner) or time.monotonic() > until:
                    os.close(lock)
                    raise FolderError(
                        f"{self.path} is in use by another `barid up`"
                        + (f" (process {owner})" if owner else "")
                        + ": stop that one, or choose another folder with --data",
                        os.EX_TEMPFAIL,
                    ) from None
                time.sleep(0.01)
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        self._lock = lock
        return lock

    def unlock(self) -> None:
        """Take our name off and let go."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def is_running(self) -> bool:
        """Whether somebody holds the lock."""
        try:
            lock = os.open(self.path / "barid.lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def running(self) -> Json | None:
        """What the running system wrote; None if none runs."""
        return read_json(self.running_file) if self.is_running() else None

    def api_key(self) -> str:
        """Made once."""
        known = (read_json(self.admin_file) or {}).get("api_key")
        return known if isinstance(known, str) and known else secrets.token_urlsafe(32)

    def accounts(self) -> list[dict[str, str]]:
        """The demo accounts with their passwords: `login`, `password`."""
        found = (read_json(self.accounts_file) or {}).get("accounts", [])
        return [each for each in found if isinstance(each, dict)]

    def forget_running(self) -> None:
        with contextlib.suppress(OSError):
            self.running_file.unlink()


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
