"""A backup put back, into an empty place.

1. Nothing may be there (or, with `keep_journal`, nothing but the journal), and everything must be whole.
2. Packs and large bodies.
3. The tables, as drafts beside their places: filled at the revision that they had, brought up to ours, and told that
   they were restored (`restored` of each service says what that means).
4. The journal is told which packs are done with: those that the restored tables say.
5. The drafts become the tables: those in one database of PostgreSQL at once, files one after the other.

The same restore may be run again after a crash. A data folder of either size is marked meanwhile, so that nobody runs
on a half. A PostgreSQL elsewhere has no mark and needs none: until 5 its schemas are empty, then it is done. Only where
services have databases of their own can some be filled and others not: a second run refuses those that are, until
somebody drops their schemas.

At the next start the reconciler compares the packs with the tables: what was accepted after the instant of the tables
is delivered to accounts here, once, and what goes elsewhere is held for a decision.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from barid_runtime.database.copies import holds_rows, is_in_use, open_draft, publish
from barid_runtime.database.copying import Draft
from barid_runtime.database.door import open_at
from barid_runtime.database.migrations import newest
from barid_runtime.database.port import Value
from barid_runtime.journal.copies import open_target
from barid_runtime.journal.copying import JournalTarget

from .contents import CLOSED, CONTENTS, Contents
from .layout import Backup, BackupError, Progress, Tables, checksum, silent
from .places import Places
from .rows import open_table


@dataclass(frozen=True, slots=True)
class Restored:
    """mailboxes: that got a new UIDVALIDITY. held: recipients of the relay's queue that wait for a decision."""

    packs: int
    objects: int
    rows: int
    mailboxes: int
    held: int


async def restore(backup: Backup, places: Places, *, keep_journal: bool = False, report: Progress = silent) -> Restored:
    """keep_journal: what packs there are stay, newer ones too, and only those that are missing are put there. Raises
    BackupError, FolderError, DatabaseError, ObjectError, OSError."""
    for contents in CONTENTS:
        _check_revision(backup, contents)
    if not backup.manifest.journal and not keep_journal:
        raise BackupError(
            f"{backup.name} has tables only: restore it with --keep-journal where the journal is, or take another one"
        )
    backup.sums()
    with _owned(places):
        mark = places.folder.restoring_file if places.folder is not None else None
        again = _begun_before(backup, mark)
        await _check_tables_are_empty(places, again)
        target = open_target(places.journal)
        try:
            there = await asyncio.to_thread(_journal_there, backup, target, keep_journal)
            if mark is not None:
                mark.write_text(f"{backup.name}\n")
            done = await _Restoring(backup, places, target, report).run(there, keep_journal)
            if mark is not None:
                mark.unlink()
            return done
        finally:
            target.close()


def _check_revision(backup: Backup, contents: Contents) -> None:
    tables = backup.manifest.services.get(contents.service)
    if tables is None:
        raise BackupError(f"the backup has no tables of {contents.service}")
    if tables.revision > (ours := newest(contents.migrations)):
        raise BackupError(
            f"the tables of {contents.service} are of revision {tables.revision}, newer than this program's {ours}:"
            f" restore with {backup.manifest.program} or newer"
        )


@contextlib.contextmanager
def _owned(places: Places) -> Iterator[None]:
    """The data folder is ours meanwhile. Raises FolderError if somebody runs on it."""
    folder = places.folder
    if folder is None:
        yield
        return
    folder.prepare()
    folder.lock()
    try:
        yield
    finally:
        folder.unlock()


def _begun_before(backup: Backup, mark: Path | None) -> bool:
    """Whether a restore of the same backup was cut off there."""
    before = mark.read_text().strip() if mark is not None and mark.exists() else ""
    if before and before != backup.name:
        assert mark is not None
        raise BackupError(
            f"{mark.parent} holds the beginning of a restore of {before}: end that one, or choose another folder"
        )
    return bool(before)


def _not_empty(what: str) -> str:
    return (
        f"{what} is there already: a restore goes into an empty place. Name another one, or stop the system and move"
        " what is there out of the way"
    )


async def _check_tables_are_empty(places: Places, again: bool) -> None:
    for contents in CONTENTS:
        place = places.tables[contents.service]
        if again and not place.url:
            # Published by the restore that was cut off.
            place.file.unlink(missing_ok=True)
        if await is_in_use(place):
            raise BackupError(f"schema {place.schema} is in use: stop all services first")
        if again and places.own_database:
            continue
        if await holds_rows(place, contents.left_out):
            raise BackupError(_not_empty(f"schema {place.schema} with rows in it" if place.url else str(place.file)))


def _journal_there(backup: Backup, target: JournalTarget, keep: bool) -> dict[str, int]:
    """Names and sizes. Raises BackupError."""
    there = {each.name: each.size for each in target.names()}
    strange = sorted(there.keys() - backup.journal().keys())
    if strange and not keep:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise BackupError(
            f"the journal is not empty: it has {strange[0]}{more}. Restore into an empty one; or, if this is the"
            " system's own journal that survived, keep it with --keep-journal"
        )
    return there


class _Restoring:
    def __init__(self, backup: Backup, places: Places, target: JournalTarget, report: Progress) -> None:
        self._backup = backup
        self._places = places
        self._target = target
        self._report = report
        # Not before any mail in the packs, should the clock here be behind the lost one's.
        self._now = max(time.time(), backup.manifest.ended / 1000)
        self._sums = backup.sums()
        self._changed: dict[str, int] = {}
        self._closed: set[str] = set()
        self._rows: dict[str, int] = {}

    async def run(self, there: Mapping[str, int], keep_journal: bool) -> Restored:
        """there: what the journal holds already."""
        drafts: dict[str, Draft] = {}
        try:
            names = await asyncio.to_thread(self._put_journal, there, keep_journal)
            for contents in CONTENTS:
                await self._fill(contents, drafts)
            await asyncio.to_thread(self._target.finish, names, self._closed)
            # The mailstore last: it is what begins to look at the journal.
            await publish(list(reversed(drafts.values())))
        except BaseException:
            for draft in drafts.values():
                await draft.discard()
            raise
        journal = self._backup.journal()
        objects = sum(name.startswith("objects/") for name in journal)
        return Restored(
            packs=len(journal) - objects,
            objects=objects,
            rows=sum(self._rows.values()),
            mailboxes=self._changed.get("mailstore", 0),
            held=self._changed.get("relay", 0),
        )

    def _put_journal(self, there: Mapping[str, int], keep: bool) -> list[str]:
        """The names of what was put there, by this restore or an earlier try."""
        ours = self._backup.journal()
        total, done = sum(path.stat().st_size for path in ours.values() if path.exists()), 0
        put: list[str] = []
        for name, path in ours.items():
            size = self._check(path)
            if name not in there or (there[name] != size and not keep):
                with path.open("rb") as file:
                    self._target.put(name, file, size)
            if name not in there or not keep:
                put.append(name)
            done += size
            self._report("packs", done, total)
        return put

    def _check(self, file: Path) -> int:
        """Its size. Raises BackupError if it is not what was saved."""
        name = str(file.relative_to(self._backup.root))
        try:
            if checksum(file) == self._sums[name]:
                return file.stat().st_size
        except OSError as error:
            raise BackupError(f"{file}: {error.strerror}; `barid backup verify` says what else is wrong") from error
        raise BackupError(f"{file} is damaged; `barid backup verify` says what else is, take another backup")

    async def _fill(self, contents: Contents, drafts: dict[str, Draft]) -> None:
        tables = self._backup.manifest.services[contents.service]
        place = self._places.tables[contents.service]
        draft = drafts[contents.service] = await open_draft(place, contents.migrations, tables.revision)
        for name in self._in_order(contents, tables):
            path = self._backup.table(contents.service, name)
            await asyncio.to_thread(self._check, path)
            columns, rows = open_table(path)
            await draft.fill(name, columns, self._counted(contents.service, rows))
        database = await open_at(draft.place, contents.migrations)
        try:
            if (change := contents.restored) is not None:
                self._changed[contents.service] = await database.write(lambda cursor: change(cursor, self._now))
            if contents.service == "mailstore":
                self._closed = {row[0] for row in await database.read(lambda cursor: cursor.all(CLOSED), heavy=True)}
        finally:
            await database.close()

    def _in_order(self, contents: Contents, tables: Tables) -> list[str]:
        return [name for name in contents.tables if name in tables.rows]

    async def _counted(
        self, service: str, rows: AsyncIterator[Sequence[Sequence[Value]]]
    ) -> AsyncIterator[Sequence[Sequence[Value]]]:
        total = sum(self._backup.manifest.services[service].rows.values())
        async for some in rows:
            yield some
            self._rows[service] = self._rows.get(service, 0) + len(some)
            self._report(f"tables of {service}", self._rows[service], total)
