"""Local copies of what was sent, for as long as the store may still lose it, and of what was not published yet.

    <root>/<service>.<incarnation>/000001.pack          sent, or on its way; not published yet
    <root>/<service>.<incarnation>/kept/000001.pack     published; waits for the end of its grace
    <root>/<service>.<incarnation>/kept/<mail_id>       the same of a large body

Each is looked for in the bucket twice, soon after it was sent and at the end of its grace: by listing, a request for up
to a thousand of them. One that is gone is sent again, unless it was deleted because nothing needs it: then the
reconciler's list of closed packs names it. All of it blocks, `published` aside, and may be called from any thread.
"""

import contextlib
import io
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ...logging import get_logger
from ...objects.port import ObjectStore
from ..device import Device
from ..folder import packs_of
from . import keys
from .closed import closed_packs

FIRST_CHECK = 20.0
"""Seconds after sending: a store that answered and crashed is back by then, or shows what it lost."""

KEPT = "kept"

_OBJECT = re.compile(r"[0-9A-Z]{26}")

log = get_logger("journal.copies")


@dataclass(slots=True, eq=False)
class Copy:
    """name: as in BodyRef.pack. at: when it was sent, epoch seconds. seen: that it was found in the bucket once."""

    name: str
    path: Path
    at: float
    published: bool
    seen: bool = False


class Copies:
    """keep: seconds of grace; 0 keeps none."""

    def __init__(self, root: Path, store: ObjectStore, device: Device, keep: float) -> None:
        self._root = root
        self._store = store
        self._device = device
        self._copies: dict[str, Copy] = {}
        self._lock = threading.Lock()
        self.keep = keep

    def __len__(self) -> int:
        return len(self._copies)

    def write(self, pack: str, data: bytes) -> None:
        """Durably. Raises OSError."""
        path = self._root / pack
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            self._device.write_durably(fd, [data], 0)
        finally:
            os.close(fd)
        self._device.sync_folder(path.parent)

    def sent(self, pack: str, now: float) -> None:
        """It is in the bucket, says the store."""
        if self.keep:
            self._add(Copy(pack, self._root / pack, now, published=False))

    def keep_object(self, folder: Path, mail_id: str, path: Path, now: float) -> Path:
        """A large body was sent from this file, which moves here. Raises OSError."""
        (folder / KEPT).mkdir(exist_ok=True)
        kept = path.replace(folder / KEPT / mail_id)
        self._device.sync_folder(folder)  # `kept/` may be new, whoever made it
        self._device.sync_folder(kept.parent)
        self._add(Copy(f"{keys.OBJECTS}{mail_id}", kept, now, published=True))
        return kept

    def give_back(self, mail_id: str, path: Path) -> None:
        """It is its sender's again."""
        with self._lock:
            copy = self._copies.pop(f"{keys.OBJECTS}{mail_id}", None)
        if copy is not None:
            with contextlib.suppress(OSError):
                copy.path.rename(path)

    def published(self, pack: str) -> None:
        """The bus knows of all in it. 20 µs, inline; a move that a crash undoes is a repetition, no more."""
        with self._lock:
            copy = self._copies.get(pack)
        if copy is None or copy.published:
            return
        kept = copy.path.parent / KEPT / copy.path.name
        with contextlib.suppress(OSError):
            kept.parent.mkdir(exist_ok=True)
            copy.path.rename(kept)
            copy.path = kept
        copy.published = True

    def drop(self, pack: str) -> None:
        """Of a pack that does not count."""
        (self._root / pack).unlink(missing_ok=True)

    def adopt(self, folder: Path) -> None:
        """Take in charge what a dead writer's folder holds."""
        for path in [*packs_of(folder), *kept_of(folder)]:
            at_object = _OBJECT.fullmatch(path.name) is not None
            name = f"{keys.OBJECTS}{path.name}" if at_object else f"{folder.name}/{path.name}"
            with contextlib.suppress(FileNotFoundError):
                self._add(Copy(name, path, path.stat().st_mtime, published=path.parent.name == KEPT))

    def data(self, pack: str) -> bytes | None:
        """A pack's bytes, if there is a copy."""
        folder, _, file = pack.partition("/")
        for path in (self._root / pack, self._root / folder / KEPT / file):
            with contextlib.suppress(FileNotFoundError):
                return path.read_bytes()
        return None

    def holds(self, folder: str) -> bool:
        """Whether there is anything of that folder's."""
        with self._lock:
            return any(copy.path.is_relative_to(self._root / folder) for copy in self._copies.values())

    def check(self, now: float) -> None:
        """Look for those that are due. Raises ObjectError, OSError; then the rest is looked for next time."""
        with self._lock:
            copies = list(self._copies.values())
        old = [copy for copy in copies if now - copy.at >= self.keep]
        young = [copy for copy in copies if now - copy.at < self.keep and not copy.seen and now - copy.at > FIRST_CHECK]
        for group in (old, young):
            there = self._there(group)
            for copy in group:
                if copy.name not in there:
                    self._send_again(copy, now)
                    continue
                copy.seen = True
                if copy.published and now - copy.at >= self.keep:
                    self._forget(copy)

    def _there(self, copies: list[Copy]) -> set[str]:
        """Those that stand in the bucket."""
        there = {copy.name for copy in copies if copy.name.startswith(keys.OBJECTS) and self._has(copy.name)}
        names = sorted(copy.name for copy in copies if not copy.name.startswith(keys.OBJECTS))
        while names:
            folder = names[0].partition("/")[0]
            mine = [name for name in names if name.startswith(f"{folder}/")]
            names = names[len(mine) :]
            there |= self._listed(folder, mine[0], mine[-1])
        return there

    def _has(self, key: str) -> bool:
        return self._store.size(key) is not None

    def _listed(self, folder: str, first: str, last: str) -> set[str]:
        found: set[str] = set()
        before = f"{keys.folder_prefix(folder)}{int(first[-11:-5]) - 1:06d}.pack"
        for listed in self._store.below(keys.folder_prefix(folder), after=before):
            name = keys.name_in(listed.key)
            if name is not None:
                if name > last:
                    break
                found.add(name)
        return found

    def _send_again(self, copy: Copy, now: float) -> None:
        key = keys.pack_key(copy.name)
        if key is None or (
            not copy.name.startswith(keys.OBJECTS)
            and copy.name in closed_packs(self._store, copy.name.partition("/")[0])
        ):
            self._forget(copy)
            return
        if copy.name.startswith(keys.OBJECTS) and copy.seen:
            # It was there; a large body that nothing needs any more is deleted without a list.
            self._forget(copy)
            return
        log.error("journal_object_lost", name=copy.name, seconds=round(now - copy.at))
        if copy.name.startswith(keys.OBJECTS):
            with open(copy.path, "rb") as file:
                self._store.put_stream(key, file, os.fstat(file.fileno()).st_size)
        else:
            self._store.put(key, copy.path.read_bytes())
        copy.at, copy.seen = now, False

    def _add(self, copy: Copy) -> None:
        with self._lock:
            self._copies[copy.name] = copy

    def _forget(self, copy: Copy) -> None:
        copy.path.unlink(missing_ok=True)
        with self._lock:
            if self._copies.get(copy.name) is copy:
                del self._copies[copy.name]


def kept_of(folder: Path) -> Iterator[Path]:
    """What is published, in the order of its names."""
    with contextlib.suppress(FileNotFoundError):
        yield from sorted((folder / KEPT).iterdir())


class FileReader(io.RawIOBase):
    """An open file read from its beginning, whatever else is done with its descriptor: a stream for the store."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        done = os.preadv(self._fd, [cast(bytearray, buffer)], self._at)
        self._at += done
        return done
