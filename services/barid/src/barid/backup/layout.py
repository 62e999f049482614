"""What stands where in the folder of backups.

    packs/<writer>/000001.pack, objects/<mail_id>   copied once, for all backups: they never change
    20261123T221500Z/                               one backup
        tables/<service>/<table>.jsonl.gz           a line with the names of the columns, then a line for each row
        packs/<writer>/000002.pack                  packs that were still being written: sealed copies of their start
        SHA256SUMS                                  of all of it, and of what it needs of the shared folders
        manifest.json                               written last: without it, the backup is unfinished
    lock                                            held (flock) by whoever changes something here

`sha256sum -c 20261123T221500Z/SHA256SUMS`, in that folder, says without this program whether a backup is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

FORMAT = 1
"""Of the manifest. A program reads its own and all before it."""

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
STRIDE = 1024 * 1024

_NAME = re.compile(r"\d{8}T\d{6}Z")
_STORED = re.compile(r"packs/([a-z][a-z0-9_]{0,30}\.[0-9A-Z]{26}/[0-9]{6}\.pack)|(objects/[0-9A-Z]{26})")
_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")


class BackupError(Exception):
    """It can't be done; the text says what to do. exit_code: of the command."""

    exit_code = 1


class Progress(Protocol):
    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """done, total: bytes, or rows of tables; total None: not known."""


def silent(stage: str, done: int, total: int | None) -> None:
    """A Progress."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Of one service. rows: by table."""

    revision: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """began, ended: epoch ms. All mail that was accepted before `began` is in the backup. packs, objects: how many.
    size: bytes of them. missing: packs that the tables name and that were nowhere. rescued: those that the journal had
    lost and a backup before this one still had. sums: SHA-256 of SHA256SUMS. journal: whether packs and large bodies
    are in it, or tables alone."""

    program: str
    kind: Literal["embedded", "cluster"]
    began: int
    ended: int
    services: Mapping[str, Tables]
    packs: int
    objects: int
    size: int
    missing: tuple[str, ...]
    sums: str
    journal: bool = True
    rescued: tuple[str, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Backup:
    """One that is finished. root: the folder of backups."""

    root: Path
    name: str
    manifest: Manifest

    @property
    def folder(self) -> Path:
        return self.root / self.name

    def sums(self) -> dict[str, str]:
        """Path below `root` → SHA-256. Raises BackupError."""
        path = self.folder / SUMS
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BackupError(f"{path}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != self.manifest.sums:
            raise BackupError(f"{path} is damaged: it is not what {MANIFEST} says")
        return read_sums(content.decode())

    def journal(self) -> dict[str, Path]:
        """Name of a pack or large body → where its copy stands. Raises BackupError, also for a name that leads
        elsewhere."""
        found: dict[str, Path] = {}
        for each in self.sums():
            name = each.removeprefix(f"{self.name}/")
            if (match := _STORED.fullmatch(name)) is not None:
                found[match[1] or match[2]] = self.root / each
            elif not name.startswith("tables/"):
                raise BackupError(f"{self.folder / SUMS} names what is none of a backup's: {each}")
        return found

    def table(self, service: str, table: str) -> Path:
        return table_path(self.folder, service, table)


def table_path(folder: Path, service: str, table: str) -> Path:
    return folder / "tables" / service / f"{table}.jsonl.gz"


def read_sums(text: str) -> dict[str, str]:
    return {match[2]: match[1] for line in text.splitlines() if (match := _SUM.fullmatch(line))}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last thing of a backup: durable when it returns."""
    new = folder / f"{MANIFEST}.new"
    with new.open("w") as file:
        json.dump(asdict(manifest), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / MANIFEST)
    for each in (folder, folder.parent):
        sync_folder(each)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_manifest(path: Path) -> Manifest:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if found["format"] > FORMAT:
            raise BackupError(f"{path}: made by a newer program ({found['program']}): use that one")
        services = {name: Tables(each["revision"], each["rows"]) for name, each in found.pop("services").items()}
        lost = {name: tuple(found.get(name, ())) for name in ("missing", "rescued")}
        return Manifest(**(found | {"services": services} | lost))
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BackupError(f"{path} is damaged: it is no manifest of ours") from error


@dataclass(slots=True)
class Found:
    """Of a folder of backups, oldest first. damaged: names, with what is wrong with their manifests."""

    finished: list[Backup] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)


def look(root: Path) -> Found:
    """Raises BackupError if there is no such folder."""
    try:
        names = sorted(path.name for path in root.iterdir() if _NAME.fullmatch(path.name))
    except OSError as error:
        raise BackupError(f"{root}: {error.strerror}") from error
    found = Found()
    for name in names:
        if not (root / name / MANIFEST).exists():
            found.unfinished.append(name)
            continue
        try:
            found.finished.append(Backup(root, name, _read_manifest(root / name / MANIFEST)))
        except BackupError as error:
            found.damaged[name] = str(error)
    return found


def choose(root: Path, name: str = "") -> Backup:
    """The newest that is finished, or the named. Raises BackupError."""
    found = look(root)
    for backup in found.finished:
        if backup.name == name:
            return backup
    if name in found.damaged:
        raise BackupError(found.damaged[name])
    if name in found.unfinished:
        raise BackupError(
            f"{root / name} has no {MANIFEST}: that backup was never finished; `barid backup list` has more"
        )
    if name:
        raise BackupError(f"there is no backup {name} in {root}; `barid backup list` says which there are")
    if not found.finished:
        unfinished = f", only {len(found.unfinished)} that were never finished" if found.unfinished else ""
        raise BackupError(f"there is no finished backup in {root}{unfinished}")
    return found.finished[-1]


def new_name(root: Path) -> str:
    """By the time, in UTC; of no other."""
    while True:
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        if not (root / name).exists():
            return name
        time.sleep(0.1)


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """While something is changed here. Raises BackupError if another is at it."""
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup into {root} is under way: wait for its end") from None
        yield
    finally:
        os.close(lock)


def prune(root: Path, keep: int) -> list[str]:
    """Remove all finished backups but the newest `keep`, and what none of these needs of the shared folders. The names
    that went. Under `alone`. Raises BackupError: then nothing shared was removed."""
    found = look(root)
    gone = [backup.name for backup in found.finished[:-keep]]
    if not gone:
        return []
    for name in gone:
        # Without its manifest it is none any more, whatever becomes of the rest.
        (root / name / MANIFEST).unlink()
        shutil.rmtree(root / name)
    if not found.damaged:
        needed = {path for backup in found.finished[-keep:] for path in backup.sums()}
        _sweep(root, needed)
    return gone


def _sweep(root: Path, needed: Collection[str]) -> None:
    for top in ("packs", "objects"):
        for path in (root / top).rglob("*"):
            if path.is_file() and str(path.relative_to(root)) not in needed:
                path.unlink()
        for folder in sorted((root / top).glob("*/"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while data := file.read(STRIDE):
            digest.update(data)
        return digest.hexdigest()
