"""Known recipients in a file: a line of JSON each, `[key, [[kind, address, account, detail], …]]`, after a header line.

Replaced as a whole (written beside, synced, renamed), so a crash leaves the old one or the new one. Reading and writing
happen in a thread: 50,000 recipients take 100 ms of either.
"""

import asyncio
import json
import os
from pathlib import Path

from ..ports import Lead, Leads

_HEADER = {"format": "barid known recipients", "version": 1}

Known = list[tuple[str, Leads]]


class KnownFile:
    """Implements ports.KnownStore."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self, limit: int) -> Known:
        return await asyncio.to_thread(read, self._path, limit)

    async def save(self, known: Known) -> None:
        await asyncio.to_thread(write, self._path, known)


def read(path: Path, limit: int) -> Known:
    """Lines that can't be understood are passed over; a file that can't is as if it were not there."""
    known: Known = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            if _parse(file.readline()) != _HEADER:
                return known
            for line in file:
                if len(known) == limit:
                    break
                if (entry := _entry(_parse(line))) is not None:
                    known.append(entry)
    except OSError:
        return []
    return known


def _parse(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _entry(value: object) -> tuple[str, Leads] | None:
    match value:
        case [str(key), [*leads]] if leads:
            read_leads = [_lead(lead) for lead in leads]
            found = tuple([lead for lead in read_leads if lead is not None])
            return (key, found) if len(found) == len(leads) else None
    return None


def _lead(value: object) -> Lead | None:
    match value:
        case ["account", str(address), str(account), (str() | None) as detail]:
            return Lead("account", address, account, detail)
        case ["remote", str(address), None, None]:
            return Lead("remote", address)
    return None


def write(path: Path, known: Known) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(json.dumps(_HEADER) + "\n")
            for entry in known:
                file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
