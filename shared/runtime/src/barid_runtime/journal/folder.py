"""A writer's folder: `<root>/<service>.<incarnation>/`, its lock, its abort list and its cursor.

lock       held (flock) by the incarnation that writes here, as long as it lives; so a folder whose lock can be
           had is a dead one's, and is read, published and sealed by whoever has it then
000001.pack …
000001.closed   marks that pack as closed: every obligation in it is settled
aborted    records whose sync failed: `pack offset mail_id` a line, synced before their 451
cursor     JSON, pack → offset up to which all is published; written by rename, never synced: an old cursor
           publishes some mails again, which changes nothing
spool/     large bodies on their way in; worthless once the writer is dead
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from ..ids import new_id

SERVICE_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_FOLDER_NAME = re.compile(r"([a-z][a-z0-9_]{0,30})\.[0-9A-Z]{26}")
_PACK_NAME = re.compile(r"[0-9]{6}\.pack")


class WriterFolder:
    """A folder whose lock we hold."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @classmethod
    def create(cls, root: Path, service: str) -> Self:
        """A new incarnation's. Somebody who looks for dead ones may lock it before we do: then it is another's, and
        we take the next name."""
        if not SERVICE_NAME.fullmatch(service):
            raise ValueError(f"not a name for a writer: {service!r}")
        root.mkdir(parents=True, exist_ok=True)
        while True:
            path = root / f"{service}.{new_id()}"
            path.mkdir()
            folder = cls.seize(path)
            if folder is not None:
                return folder

    @classmethod
    def seize(cls, path: Path) -> Self | None:
        """Take the folder if its writer is dead; None if it lives (or the folder is gone)."""
        try:
            lock = os.open(path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it before us may have removed the folder, and the lock that we hold has no name any more.
            if (path / "lock").stat().st_ino == os.fstat(lock).st_ino:
                return cls(path, lock)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None

    def release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove_if_empty(self) -> bool:
        """Remove a folder that holds no pack any more. Only by who holds it."""
        if any(packs_of(self.path)):
            return False
        clear_spool(self.path)
        for marker in self.path.glob("*.closed"):
            marker.unlink(missing_ok=True)
        for name in ("aborted", "cursor", "cursor.new", "lock"):
            (self.path / name).unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except OSError:
            return False
        return True


def is_live(path: Path) -> bool:
    """Whether somebody holds the folder's lock now."""
    folder = WriterFolder.seize(path)
    if folder is None:
        return True
    folder.release()
    return False


def writer_folders(root: Path, service: str | None = None) -> list[Path]:
    """All writers' folders, or those of one service, oldest first."""
    try:
        paths = list(root.iterdir())
    except FileNotFoundError:
        return []
    found = [
        path for path in paths if (match := _FOLDER_NAME.fullmatch(path.name)) and service in (None, match.group(1))
    ]
    return sorted(found, key=lambda path: path.name.rpartition(".")[2])


def packs_of(folder: Path) -> Iterator[Path]:
    """The folder's packs in the order of their making."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return
    for name in names:
        if _PACK_NAME.fullmatch(name):
            yield folder / name


def clear_spool(folder: Path) -> None:
    spool = folder / "spool"
    if spool.is_dir():
        for path in spool.iterdir():
            path.unlink(missing_ok=True)
        spool.rmdir()


def add_aborted(folder: Path, pack: str, records: Sequence[tuple[int, str]]) -> None:
    """Name records (offset, mail_id) of a pack that must not come back. Durable when it returns. Raises OSError."""
    fresh = not (folder / "aborted").exists()
    fd = os.open(folder / "aborted", os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        # It begins with a line end: a line that was torn before can't swallow this one.
        os.write(fd, "".join(["\n", *(f"{pack} {offset} {mail_id}\n" for offset, mail_id in records)]).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    if fresh:
        parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def aborted_of(folder: Path, pack: str) -> frozenset[int]:
    """Offsets of the pack's records that must not come back."""
    try:
        text = (folder / "aborted").read_text()
    except FileNotFoundError:
        return frozenset()
    rows = (line.split() for line in text.splitlines())
    return frozenset(int(row[1]) for row in rows if len(row) == 3 and row[0] == pack and row[1].isdigit())


def aborted_packs(folder: Path) -> frozenset[str]:
    """Packs of the folder of which a record must not come back: file names."""
    try:
        text = (folder / "aborted").read_text()
    except FileNotFoundError:
        return frozenset()
    rows = (line.split() for line in text.splitlines())
    return frozenset(row[0] for row in rows if len(row) == 3 and _PACK_NAME.fullmatch(row[0]))


def read_cursor(folder: Path) -> dict[str, int]:
    """Pack name → offset up to which it is published. Nothing readable there is the same as nothing published."""
    try:
        cursor = json.loads((folder / "cursor").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(k): v for k, v in cursor.items() if isinstance(v, int)} if isinstance(cursor, dict) else {}


def write_cursor(folder: Path, cursor: Mapping[str, int]) -> None:
    """Raises OSError."""
    new = folder / "cursor.new"
    new.write_text(json.dumps(cursor))
    new.replace(folder / "cursor")
