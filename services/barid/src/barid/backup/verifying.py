"""Is a backup whole? Every file is read and compared with its checksum."""

from collections.abc import Iterator
from dataclasses import dataclass

from .layout import Backup, Progress, checksum, silent


@dataclass(frozen=True, slots=True)
class Fault:
    """path: below the folder of backups."""

    path: str
    what: str


def verify(backup: Backup, report: Progress = silent) -> Iterator[Fault]:
    """Raises BackupError if it can't even be said what should be there."""
    sums = backup.sums()
    total = sum(_size(backup, path) for path in sums)
    done = 0
    report("files", 0, total)
    for path, expected in sums.items():
        try:
            if checksum(backup.root / path) != expected:
                yield Fault(path, "damaged: its checksum is another")
        except FileNotFoundError:
            yield Fault(path, "missing")
        except OSError as error:
            yield Fault(path, f"can't be read: {error.strerror}")
        done += _size(backup, path)
        report("files", done, total)


def _size(backup: Backup, path: str) -> int:
    try:
        return (backup.root / path).stat().st_size
    except OSError:
        return 0
