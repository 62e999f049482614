"""A backup of a system that runs on.

Packs first, then the instant of all tables, then the packs that came meanwhile:

1. All packs and large bodies that are not in the shared folders yet. That may take hours; what is deleted meanwhile, no
   table of the later instant names.
2. A snapshot of each service's tables (`contents.py` says in which order).
3. What was written during 1, up to the last whole record of packs that are still open. So every mail that was accepted
   before the beginning is in the backup, and every pack that a row names: nothing is deleted younger than an hour, and
   1 is repeated until it is quicker than that. A pack that the journal has lost is taken from the backups before.
4. The rows.
5. The checksums, then the manifest.

A crash leaves a folder without a manifest, which the next backup removes, and copies that it need not make again.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, cast

from barid_runtime.database.copies import open_snapshot
from barid_runtime.database.copying import Snapshot
from barid_runtime.journal.copies import open_source
from barid_runtime.journal.copying import JournalSource, Stored

from .contents import CONTENTS, Contents
from .layout import (
    SUMS,
    Backup,
    BackupError,
    Manifest,
    Progress,
    Tables,
    alone,
    checksum,
    choose,
    look,
    new_name,
    prune,
    silent,
    sync_folder,
    table_path,
    write_manifest,
)
from .places import Places
from .rows import TableFile

PASS_SECONDS = 600.0
"""A first pass that takes longer is repeated: what it copied first may be old enough to be deleted by the end."""

PASSES_MOST = 5

AT_ONCE = 4
"""Packs copied at once: a bucket's answers take 20 ms and more."""


async def back_up(
    places: Places, root: Path, *, keep: int = 0, journal: bool = True, report: Progress = silent
) -> Backup:
    """Into the folder of backups `root`. keep: how many remain there, this one included; 0 is all, and so it is if this
    one has not all that its tables name: an older one may. journal: else tables alone. Raises BackupError,
    DatabaseError, JournalError, ObjectError, OSError; nothing that counts is left then."""
    await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True, mode=0o700)
    with alone(root):
        folder = await asyncio.to_thread(_new_folder, root)
        try:
            await _Saving(places, root, folder, report, journal=journal).run()
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, True)
            raise
        made = choose(root, folder.name)
        if keep and not made.manifest.missing:
            await asyncio.to_thread(prune, root, keep)
        return made


def _new_folder(root: Path) -> Path:
    for name in look(root).unfinished:
        shutil.rmtree(root / name)
    folder = root / new_name(root)
    folder.mkdir(mode=0o700)
    return folder


class _Saving:
    def __init__(self, places: Places, root: Path, folder: Path, report: Progress, *, journal: bool) -> None:
        self._places = places
        self._root = root
        self._folder = folder
        self._report = report
        self._journal = journal
        self._began = int(time.time() * 1000)
        self._known = _known_sums(root)
        self._sums: dict[str, str] = {}
        self._bytes = 0
        self._rescued: list[str] = []
        self._source: JournalSource

    async def run(self) -> None:
        self._source = open_source(self._places.journal)
        snapshots: dict[str, Snapshot] = {}
        try:
            for _ in range(PASSES_MOST):
                begun = time.monotonic()
                await asyncio.to_thread(self._copy_journal, cuts=False)
                if time.monotonic() - begun < PASS_SECONDS:
                    break
            for contents in CONTENTS:
                snapshots[contents.service] = await open_snapshot(self._places.tables[contents.service])
            await asyncio.to_thread(self._copy_journal, cuts=True)
            lost = await self._lost(snapshots)
            missing = await asyncio.to_thread(lambda: tuple(name for name in lost if not self._rescue(name)))
            tables = {contents.service: await self._tables(contents, snapshots) for contents in CONTENTS}
        finally:
            for snapshot in snapshots.values():
                await snapshot.close()
            self._source.close()
        await asyncio.to_thread(self._finish, tables, missing)

    # --- packs and large bodies

    def _copy_journal(self, *, cuts: bool) -> None:
        if not self._journal:
            return
        packs = [each for each in self._source.packs() if cuts or not each.cut]
        self._copy_all("packs", packs)
        # Afterwards: what a record names was there before the record.
        self._copy_all("large bodies", list(self._source.large_bodies()))

    def _copy_all(self, stage: str, wanted: Iterable[Stored]) -> None:
        fresh = [each for each in wanted if self._path(each) not in self._sums or each.cut]
        total, done = sum(each.size for each in fresh), 0
        self._report(stage, 0, total)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for each, digest in zip(fresh, pool.map(self._copy, fresh), strict=True):
                done += each.size
                if digest is not None:
                    self._sums[self._path(each)] = digest
                    self._bytes += (self._root / self._path(each)).stat().st_size
                self._report(stage, done, total)

    def _path(self, stored: Stored) -> str:
        """Below the folder of backups."""
        path = stored.name if stored.name.startswith("objects/") else f"packs/{stored.name}"
        return f"{self._folder.name}/{path}" if stored.cut else path

    def _copy(self, stored: Stored) -> str | None:
        """Its SHA-256; None if it is gone, or nothing whole is in it."""
        path = self._root / self._path(stored)
        with contextlib.suppress(FileNotFoundError):
            if not stored.cut and path.stat().st_size == stored.size:
                # Of a backup before this one; or of one that was cut off, and then nobody has its checksum.
                return self._known.get(self._path(stored)) or checksum(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(f"{path.name}.new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            digest = self._source.copy(stored, cast("BinaryIO", file))
            if digest is None:
                new.unlink()
                return None
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return digest

    async def _lost(self, snapshots: Mapping[str, Snapshot]) -> tuple[str, ...]:
        """Packs that rows name and that the journal does not have."""
        if not self._journal:
            return ()
        named: set[str] = set()
        for contents in CONTENTS:
            if contents.referenced:
                named |= {row[0] for row in await snapshots[contents.service].all(contents.referenced)}
        copied = {path.removeprefix(f"{self._folder.name}/").removeprefix("packs/") for path in self._sums}
        return tuple(sorted(named - copied))

    def _rescue(self, name: str) -> bool:
        """Whether a backup before this one has it whole. A cut copy is not: rows may name what came behind it."""
        path = self._path(Stored(name, 0))
        digest = self._known.get(path)
        try:
            if digest is None or checksum(self._root / path) != digest:
                return False
        except OSError:
            return False
        self._sums[path] = digest
        self._bytes += (self._root / path).stat().st_size
        self._rescued.append(name)
        return True

    # --- tables

    async def _tables(self, contents: Contents, snapshots: Mapping[str, Snapshot]) -> Tables:
        snapshot = snapshots[contents.service]
        there = await snapshot.tables()
        if strange := there.keys() - {*contents.tables, *contents.left_out}:
            raise BackupError(f"{contents.service} has tables that this program does not know: {', '.join(strange)}")
        rows: dict[str, int] = {}
        total, done = sum(there[name] for name in contents.tables if name in there), 0
        for name in contents.tables:
            if name not in there:
                continue
            path = table_path(self._folder, contents.service, name)
            with TableFile(path, await snapshot.columns(name)) as file:
                rows[name] = 0
                async for some in snapshot.rows(name):
                    await asyncio.to_thread(file.write, some)
                    rows[name] += len(some)
                    done += len(some)
                    self._report(f"tables of {contents.service}", done, total)
            self._sums[str(path.relative_to(self._root))] = await asyncio.to_thread(file.digest)
            self._bytes += path.stat().st_size
        return Tables(snapshot.revision, rows)

    # --- the end

    def _finish(self, tables: Mapping[str, Tables], missing: tuple[str, ...]) -> None:
        text = "".join(f"{self._sums[path]}  {path}\n" for path in sorted(self._sums)).encode()
        with (self._folder / SUMS).open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # New files have names on the disk only when their folders are there.
        for folder in {(self._root / path).parent for path in self._sums}:
            while folder != self._root:
                sync_folder(folder)
                folder = folder.parent
        objects = sum(path.startswith("objects/") for path in self._sums)
        rows = sum(path.startswith(f"{self._folder.name}/tables/") for path in self._sums)
        manifest = Manifest(
            program=f"barid {version('barid')}",
            kind=self._places.kind,
            began=self._began,
            ended=int(time.time() * 1000),
            services=tables,
            packs=len(self._sums) - objects - rows,
            objects=objects,
            size=self._bytes,
            missing=missing,
            rescued=tuple(self._rescued),
            sums=hashlib.sha256(text).hexdigest(),
            journal=self._journal,
        )
        write_manifest(self._folder, manifest)


def _known_sums(root: Path) -> dict[str, str]:
    """Of what finished backups share."""
    known: dict[str, str] = {}
    for backup in look(root).finished:
        with contextlib.suppress(BackupError):
            known |= backup.sums()
    return known
