"""How far each pack is published, in memory and in the `cursor` file of its folder."""

import contextlib
from pathlib import Path

from . import record
from .folder import read_cursor, write_cursor


class Cursors:
    """Of all packs that one publisher is concerned with, by name as in BodyRef.pack."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._packs: dict[str, _Cursor] = {}

    def begin(self, pack: str, start: int, end: int) -> None:
        """Another's pack, of which the bytes from start to end are to be published."""
        cursor = self._packs[pack] = _Cursor()
        cursor.at, cursor.end = start, end

    def finish(self, pack: str, start: int, end: int) -> None:
        """The bus has all that is owed between start and end. Batches are finished in any order."""
        cursor = self._packs.get(pack)
        if cursor is None:
            cursor = self._packs[pack] = _Cursor()
        cursor.finish(start, end)

    def is_done(self, folder: str) -> bool:
        """Whether all that was begun of that folder's packs is published."""
        return all(cursor.at >= cursor.end for cursor in self._of(folder).values())

    def forget(self, folder: str) -> None:
        for pack in self._of(folder):
            del self._packs[f"{folder}/{pack}"]

    def write(self) -> None:
        """Bring the files up to date: 100 µs a folder in which something moved, inline. A file that can't be written
        is a repetition after the next crash, no more."""
        for folder in {pack.partition("/")[0] for pack, cursor in self._packs.items() if cursor.moved}:
            path = self._root / folder
            mine = self._of(folder)
            with contextlib.suppress(OSError):
                cursor = read_cursor(path) | {pack: one.at for pack, one in mine.items()}
                write_cursor(path, {pack: at for pack, at in cursor.items() if (path / pack).exists()})
            for one in mine.values():
                one.moved = False

    def _of(self, folder: str) -> "dict[str, _Cursor]":
        start = f"{folder}/"
        return {pack.removeprefix(start): one for pack, one in self._packs.items() if pack.startswith(start)}


class _Cursor:
    __slots__ = ("_ahead", "at", "end", "moved")

    def __init__(self) -> None:
        self.at = record.PACK_HEADER
        self.end = 0
        self.moved = False
        self._ahead: dict[int, int] = {}

    def finish(self, start: int, end: int) -> None:
        """Advance, but never over a gap."""
        self._ahead[start] = end
        while (onward := self._ahead.pop(self.at, None)) is not None:
            self.at = onward
            self.moved = True
