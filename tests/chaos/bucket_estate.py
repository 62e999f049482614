"""What the cluster size owns: tables in PostgreSQL, packs in a bucket, and local copies that were not published yet.

The S3 server keeps its objects as files, so they are read as such: it may be down, or lie, when we want to know.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from barid_runtime.journal import scan
from barid_runtime.journal.folder import aborted_packs, packs_of, writer_folders
from barid_runtime.journal.footer import Entry
from barid_runtime.journal.port import BodyMissing
from barid_runtime.journal.s3 import keys

from .estate import Rows

BUCKET = "barid"


class BucketAndTables:
    """An Estate. A pack never changes, so each is read once."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._read: dict[str, list[Entry]] = {}

    @property
    def bucket(self) -> Path:
        """Where its objects are files under their keys."""
        return self._data / "objects" / "buckets" / BUCKET

    def packs(self) -> dict[str, Path]:
        """That count, by their names."""
        found = {keys.name_in(self._key(path)): path for path in self.bucket.glob("packs/*/*/*.pack")}
        aborted = {keys.name_in(self._key(path)) for path in self.bucket.glob("aborted/*/*/*.pack")}
        return {name: path for name, path in found.items() if name is not None and name not in aborted}

    def _key(self, path: Path) -> str:
        return path.relative_to(self.bucket).as_posix()

    def entries(self) -> Iterator[Entry]:
        """Closed packs, too: that what they name has its outcome is what their closing says."""
        found = self.packs()
        for folder in writer_folders(self._data / "journal"):
            aborted = aborted_packs(folder)
            found |= {f"{folder.name}/{path.name}": path for path in packs_of(folder) if path.name not in aborted}
        for name, path in found.items():
            if name in self._read:
                yield from self._read[name]
                continue
            try:
                whole = scan.trailer_of(path) is not None
                entries = list(scan.index(path))
            except (BodyMissing, FileNotFoundError):
                continue  # published, so moved, meanwhile: it is in the bucket
            if whole:
                self._read[name] = entries
            yield from entries

    def rows(self, service: str, query: str) -> Rows:
        """Raises OSError while the database is away."""
        return asyncio.run(self._ask(query.format(f"{service}.")))

    async def _ask(self, query: str) -> Rows:
        address = json.loads((self._data / "running.json").read_text())["database"]
        password = (self._data / "postgres" / "password").read_text()
        database = await asyncpg.connect(f"postgresql://barid:{password}@{address}/postgres", timeout=10)
        try:
            return [tuple(row) for row in await database.fetch(query)]
        finally:
            await database.close()

    def not_closed(self) -> list[str]:
        closed = {str(name) for (name,) in self.rows("mailstore", "SELECT name FROM {0}closed")}
        for listed in self.bucket.glob("closed/*/*/*"):
            closed.update(f"{listed.parent.name}/{line}" for line in listed.read_text().split())
        return sorted(self.packs().keys() - closed)
