"""A journal as a whole, for backup and restore: its packs and large bodies, copied from it while it is written to, and
put into one that nobody uses.

A copy of a pack is always sealed. One that is still being written is copied up to its last whole record, with a footer
made for it, and called *cut*: the same pack may be longer the next time. All others never change under their name,
wherever they stand: so a copy from a directory can be put into a bucket, and the other way.

All of it blocks.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from . import scan
from .folder import aborted_of, packs_of, read_cursor, write_cursor, writer_folders
from .footer import encode_footer
from .lifecycle import objects
from .port import BodyMissing

STRIDE = 1024 * 1024
"""Bytes copied at a time."""

OBJECTS = "objects"


@dataclass(frozen=True, slots=True)
class Stored:
    """name: as in BodyRef.pack. size: bytes. cut: it is still being written."""

    name: str
    size: int
    cut: bool = False


class JournalSource(Protocol):
    """Raises JournalError, ObjectError, OSError."""

    def packs(self) -> Iterator[Stored]:
        """All that hold mail which was accepted when we are asked, and perhaps later ones."""

    def large_bodies(self) -> Iterator[Stored]:
        """Asked for after packs were copied, it has all that they name."""

    def copy(self, stored: Stored, target: BinaryIO) -> str | None:
        """The SHA-256 of what was written; None if it is gone, or nothing whole is in it yet."""

    def close(self) -> None: ...


class JournalTarget(Protocol):
    """Raises ObjectError, OSError."""

    def names(self) -> Iterator[Stored]:
        """What is there."""

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        """Durable when it returns. Done again it changes nothing."""

    def finish(self, names: Collection[str], closed: Collection[str]) -> None:
        """names: of what was put. closed: of all packs, those of which nobody is owed anything. All others will be
        looked at again."""

    def close(self) -> None: ...


class Hashed:
    """Writes on, and counts the SHA-256."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._target.write(data)

    def digest(self) -> str:
        return self._hash.hexdigest()


class LocalSource:
    def __init__(self, root: Path) -> None:
        self._root = root

    def packs(self) -> Iterator[Stored]:
        for folder in writer_folders(self._root):
            for path in packs_of(folder):
                with contextlib.suppress(FileNotFoundError, BodyMissing):
                    sealed = scan.trailer_of(path) is not None
                    yield Stored(f"{folder.name}/{path.name}", path.stat().st_size, cut=not sealed)

    def large_bodies(self) -> Iterator[Stored]:
        for path in objects(self._root):
            with contextlib.suppress(FileNotFoundError):
                yield Stored(f"{OBJECTS}/{path.name}", path.stat().st_size)

    def copy(self, stored: Stored, target: BinaryIO) -> str | None:
        path = self._root / stored.name
        hashed = Hashed(target)
        try:
            if stored.cut:
                return _cut(path, hashed)
            with path.open("rb") as file:
                _copy(file, hashed, stored.size)
        except (FileNotFoundError, BodyMissing):
            return None
        return hashed.digest()

    def close(self) -> None:
        """Nothing is open."""


def _cut(path: Path, target: Hashed) -> str | None:
    """Records that are whole now. Only those of the last batch can be half-written; what stands in that batch whole may
    be waiting for its sync: it is as mail whose 250 was lost."""
    found = list(scan.walk(path))
    sound = [each for each in found if isinstance(each, scan.Found)]
    last = max((each.lead.batch for each in sound), default=0)
    while sound and sound[-1].lead.batch == last and not scan.body_is_sound(path, sound[-1]):
        sound.pop()
    # Read afterwards: who failed to sync a record writes it down before anybody hears of it.
    aborted = aborted_of(path.parent, path.name)
    sound = [each for each in sound if each.offset not in aborted]
    if not sound:
        return None
    end = sound[-1].end
    entries = [scan.entry_of(each) for each in sound]
    for gap in found:
        if isinstance(gap, scan.Damage) and gap.end <= end:
            entries += [each for each in scan.damaged_entries(path, gap.start, gap.end) if each.offset not in aborted]
    entries.sort(key=lambda entry: entry.offset)
    with path.open("rb") as file:
        _copy(file, target, end)
    target.write(encode_footer(b"".join([entry.encode() for entry in entries]), end, len(entries)))
    return target.digest()


def _copy(source: BinaryIO, target: Hashed, size: int) -> None:
    while size:
        data = source.read(min(STRIDE, size))
        if not data:
            raise BodyMissing("the pack ended while it was read")
        target.write(data)
        size -= len(data)


class LocalTarget:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> Iterator[Stored]:
        source = LocalSource(self._root)
        yield from source.packs()
        yield from source.large_bodies()

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(path.name + ".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            shutil.copyfileobj(source, file, STRIDE)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def finish(self, names: Collection[str], closed: Collection[str]) -> None:
        for folder in writer_folders(self._root):
            cursor: dict[str, int] = {}
            for path in packs_of(folder):
                name = f"{folder.name}/{path.name}"
                marker = path.with_suffix(".closed")
                if name in closed:
                    marker.touch(0o600)
                else:
                    # Closed by an index that came after the one that is restored.
                    marker.unlink(missing_ok=True)
                trailer = scan.trailer_of(path)
                if name in names and trailer is not None:
                    cursor[path.name] = trailer.offset
            if cursor:
                # What is owed of them the reconciler finds by the ledger; else all would be published once more.
                write_cursor(folder, read_cursor(folder) | cursor)
            _sync(folder)
        if (self._root / OBJECTS).is_dir():
            _sync(self._root / OBJECTS)
        _sync(self._root)

    def close(self) -> None:
        """Nothing is open."""


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
