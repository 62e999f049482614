"""What a system has on its disk, read without it: packs, ledgers, outboxes. Nothing here asks a service."""

import sqlite3
from contextlib import closing
from pathlib import Path

from barid_runtime.journal import lifecycle, scan
from barid_runtime.journal.folder import writer_folders
from barid_runtime.journal.port import BodyMissing

Key = tuple[str, int]


def owed(data: Path) -> set[Key]:
    """Obligations of every record in the journal that have no outcome in either ledger, and are in no queue."""
    local: set[Key] = set()
    remote: set[Key] = set()
    for pack in lifecycle.packs(data / "journal", closed=False):
        try:
            entries = scan.index(pack.path)
        except BodyMissing:
            continue  # deleted meanwhile
        for entry in entries:
            local.update((entry.mail_id, n) for n in entry.accounts)
            remote.update((entry.mail_id, n) for n in entry.remotes)
    local -= set(_rows(data / "mailstore.db", "SELECT mail_id, n FROM ledger"))
    remote -= set(_rows(data / "relay.db", "SELECT mail_id, n FROM ledger JOIN mail ON mail.id = ledger.mail"))
    return local | remote


def unfinished(data: Path) -> dict[str, int]:
    """How many rows wait for something: none, once all is quiet."""
    waits = {
        ("mailstore.db", "outbox"): "SELECT mail_id FROM outbox",
        ("mailstore.db", "held"): "SELECT mail_id FROM held",
        ("relay.db", "outbox"): "SELECT mail_id FROM outbox",
        ("relay.db", "queue"): "SELECT mail FROM recipient",
    }
    found = {" ".join(name): len(_rows(data / name[0], query)) for name, query in waits.items()}
    return {name: count for name, count in found.items() if count}


def not_closed(data: Path) -> list[str]:
    """Packs that are not closed, though nobody writes to them."""
    return [pack.name for pack in lifecycle.packs(data / "journal", closed=False) if not pack.live]


def spooled(data: Path) -> list[str]:
    """Files of messages that were on their way in."""
    return [str(path) for folder in writer_folders(data / "journal") for path in folder.glob("spool/*")]


def _rows(file: Path, query: str) -> list[Key]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
        return list(database.execute(query))
