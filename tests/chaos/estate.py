"""What a system owns, read without it: packs, ledgers, outboxes. Nothing here asks a service.

`Files` is what the embedded size has on its disk; bucket_estate.py is for PostgreSQL and a bucket.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from barid_runtime.journal import lifecycle, scan
from barid_runtime.journal.folder import writer_folders
from barid_runtime.journal.footer import Entry
from barid_runtime.journal.port import BodyMissing

Key = tuple[str, int]
Rows = list[tuple[Any, ...]]

SETTLED = {
    "mailstore": "SELECT mail_id, n FROM {0}ledger",
    "relay": "SELECT mail_id, n FROM {0}ledger AS ledger JOIN {0}mail AS mail ON mail.id = ledger.mail",
}
"""Outcomes, by the service that owns them. {0}: the schema and a dot, where there are schemas."""

WAITING = {
    "children of the mailstore": ("mailstore", "SELECT mail_id FROM {0}outbox"),
    "held mail": ("mailstore", "SELECT mail_id FROM {0}held"),
    "notices of the relay": ("relay", "SELECT mail_id FROM {0}outbox"),
    "the relay's queue": ("relay", "SELECT mail FROM {0}recipient"),
}
"""Rows of which there are none, once all is quiet."""


class Estate(Protocol):
    def entries(self) -> Iterator[Entry]:
        """Of every record that counts, in packs that somebody may still look at."""

    def rows(self, service: str, query: str) -> Rows:
        """Of the service's tables."""

    def not_closed(self) -> list[str]:
        """Packs that are not closed, though nobody writes to them."""


def owed(estate: Estate) -> set[Key]:
    """Obligations of every record in the journal that have no outcome in either ledger, and are in no queue."""
    local: set[Key] = set()
    remote: set[Key] = set()
    for entry in estate.entries():
        local.update((entry.mail_id, n) for n in entry.accounts)
        remote.update((entry.mail_id, n) for n in entry.remotes)
    local -= {(str(mail_id), int(n)) for mail_id, n in estate.rows("mailstore", SETTLED["mailstore"])}
    remote -= {(str(mail_id), int(n)) for mail_id, n in estate.rows("relay", SETTLED["relay"])}
    return local | remote


def unfinished(estate: Estate) -> dict[str, int]:
    """How many rows wait for something."""
    found = {name: len(estate.rows(service, query)) for name, (service, query) in WAITING.items()}
    return {name: count for name, count in found.items() if count}


def spooled(data: Path) -> list[str]:
    """Files of messages that were on their way in."""
    return [str(path) for folder in writer_folders(data / "journal") for path in folder.glob("spool/*")]


class Files:
    """An Estate: SQLite and packs below the data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def entries(self) -> Iterator[Entry]:
        for pack in lifecycle.packs(self._data / "journal", closed=False):
            try:
                yield from scan.index(pack.path)
            except BodyMissing:
                continue  # deleted meanwhile

    def rows(self, service: str, query: str) -> Rows:
        file = self._data / f"{service}.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            return list(database.execute(query.format("")))

    def not_closed(self) -> list[str]:
        return [pack.name for pack in lifecycle.packs(self._data / "journal", closed=False) if not pack.live]
