"""The life of packs once they are written: open → sealed → closed → deleted. For the reconciler and the doctor.

    open     has no footer; its writer lives, or its service's next start will seal it
    sealed   never changes again
    closed   every obligation in it has its outcome, says a synced marker file; never scanned again, so rows of the
             ledger may be pruned after it
    deleted  nothing refers to it: no index row, outbox row or queue row

A crash between the steps of a deletion leaves a marker without its pack, which goes with its folder. An object outlives
every pack that is not closed and names it, and everything that refers to it.

All of it blocks, `collect` aside.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import record, scan
from .folder import WriterFolder, is_live, packs_of, read_cursor, writer_folders
from .footer import Entry
from .port import BodyMissing

OBJECT_GRACE = 3600.0
"""Seconds an object is left alone although nothing names it: its record may be on its way."""


@dataclass(frozen=True, slots=True)
class PackInfo:
    """name: as in BodyRef.pack. live: its writer is at work. end: where its records end, None while open. published:
    the offset up to which its own publisher has told the bus."""

    name: str
    path: Path
    state: Literal["open", "sealed", "closed"]
    live: bool
    size: int
    end: int | None
    published: int

    @property
    def complete(self) -> bool:
        """Sealed, and all of it was published once: what is not settled in it now was lost on the way."""
        return self.end is not None and self.published >= self.end


def packs(root: Path, *, closed: bool = True) -> list[PackInfo]:
    """All packs, oldest writer first; without the closed ones if asked."""
    found: list[PackInfo] = []
    for folder in writer_folders(root):
        live = is_live(folder)
        cursor = read_cursor(folder)
        for path in packs_of(folder):
            is_closed = path.with_suffix(".closed").exists()
            if is_closed and not closed:
                continue
            try:
                size = path.stat().st_size
                trailer = scan.trailer_of(path)
            except (FileNotFoundError, BodyMissing):
                continue
            state: Literal["open", "sealed", "closed"] = "closed" if is_closed else "sealed" if trailer else "open"
            found.append(
                PackInfo(
                    f"{folder.name}/{path.name}",
                    path,
                    state,
                    live,
                    size,
                    trailer.offset if trailer else None,
                    cursor.get(path.name, record.PACK_HEADER),
                )
            )
    return found


def published_entries(pack: PackInfo) -> list[Entry]:
    """The records that the bus was told of: those of them that are not settled, and old enough, are owed again.

    What comes after is still its publisher's to send. Raises BodyMissing if the pack is gone by now.
    """
    end = pack.published if pack.end is None else None
    return [entry for entry in scan.index(pack.path, end) if entry.offset < pack.published]


def close_pack(root: Path, name: str) -> None:
    """Mark as closed, durably. Only for a complete pack all of whose obligations have their outcome. Idempotent."""
    marker = (root / name).with_suffix(".closed")
    fd = os.open(marker, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    folder = os.open(marker.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def delete_pack(root: Path, name: str) -> None:
    """Remove a pack that nothing refers to, and its writer's folder if it was the last of a dead one. Idempotent."""
    path = root / name
    path.unlink(missing_ok=True)
    path.with_suffix(".closed").unlink(missing_ok=True)
    folder = WriterFolder.seize(path.parent)
    if folder is not None:
        folder.remove_if_empty()
        folder.release()


def objects(root: Path) -> list[Path]:
    """Bodies in files of their own; the name is the mail's id, and `objects/<name>` the pack of its BodyRef."""
    folder = root / "objects"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def objects_in_use(root: Path) -> set[str]:
    """Names of objects that a record of a pack which is not closed names."""
    return {
        entry.mail_id
        for pack in packs(root, closed=False)
        for entry in scan.index(pack.path)
        if entry.flags & record.EXTERNAL
    }


Referenced = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Those of the asked names (as in BodyRef.pack) that anything still refers to."""


async def collect(root: Path, referenced: Referenced, *, now: float | None = None) -> list[str]:
    """Delete closed packs, and objects, that nothing refers to; returns the names that went.

    The asker answers for every index, queue and outbox there is; if one can't be asked it raises, and nothing goes.
    """
    closed = [pack.name for pack in await asyncio.to_thread(packs, root) if pack.state == "closed"]
    gone: list[str] = []
    if closed:
        kept = await referenced(closed)
        gone += [name for name in closed if name not in kept]
        for name in gone:
            await asyncio.to_thread(delete_pack, root, name)
    old = await asyncio.to_thread(_old_objects, root, time.time() if now is None else now)
    if old:
        in_use = await asyncio.to_thread(objects_in_use, root)
        names = [f"objects/{name}" for name in old if name not in in_use]
        kept = await referenced(names) if names else set()
        for name in names:
            if name not in kept:
                await asyncio.to_thread((root / name).unlink, missing_ok=True)
                gone.append(name)
    return gone


def _old_objects(root: Path, now: float) -> list[str]:
    old: list[str] = []
    for path in objects(root):
        try:
            if now - path.stat().st_mtime > OBJECT_GRACE:
                old.append(path.name)
        except FileNotFoundError:
            continue
    return old
