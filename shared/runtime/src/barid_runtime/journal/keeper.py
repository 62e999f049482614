"""Packs once they are written, wherever they stand: what the reconciler and the relay need to know of them.

lifecycle.py says what the states mean. `LocalKeeper` is over a directory; s3/keeper.py over a bucket.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from barid_contracts.mail import Accepted

from ..clock import Clock
from . import lifecycle, lookup, scan
from .folder import writer_folders
from .footer import Entry
from .lifecycle import PackInfo, Referenced
from .port import BodyMissing


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack that isn't closed. sealed: it never changes again. complete: sealed, and the bus was told of all of it
    that is owed to somebody."""

    name: str
    sealed: bool
    complete: bool


class PackKeeper(Protocol):
    """All takes as long as the disk, or the store, does, off the loop. Raises JournalError, OSError."""

    async def states(self) -> list[PackState]:
        """Packs that aren't closed, and that may be looked at."""

    async def entries(self, pack: str) -> list[Entry]:
        """Records that the bus was told of, of a pack of the last `states`."""

    async def load(self, pack: str, entries: Sequence[Entry]) -> list[Accepted]:
        """These mails, with their references. Damaged ones are left out."""

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        """The mail whose record stands there, of any pack; None if it still can't be read."""

    async def find(self, mail_id: str, named: float) -> Accepted | None:
        """The mail, with its reference, if it stands in a pack that isn't closed. Bounded work. named: epoch seconds
        of its id."""

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        """Those with this Message-ID in packs that aren't closed: the latest, as far as bounded work goes."""

    async def named(self, before: str) -> set[str]:
        """mail_ids below `before` that a pack names which isn't closed."""

    async def still_open(self, names: Collection[str]) -> set[str]:
        """Those of these packs that are there and aren't closed; all of them while nothing can be said."""

    async def close(self, pack: str) -> None:
        """Mark it: all that was owed has its outcome. A crash may forget it, if whoever asks remembers it himself."""

    async def collect(self, referenced: Referenced, grace: float) -> list[str]:
        """Delete closed packs and large bodies that `referenced` doesn't keep and that didn't change within `grace`
        seconds; returns their names. Raises what `referenced` raises; then nothing more is deleted."""


def _owes_nobody(info: PackInfo) -> bool:
    """A sealed pack without any obligation (of APPENDs alone) is complete whether or not anybody publishes it."""
    return info.end is not None and not any(entry.accounts or entry.remotes for entry in scan.index(info.path))


class LocalKeeper:
    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._infos: dict[str, PackInfo] = {}

    async def states(self) -> list[PackState]:
        return await asyncio.to_thread(self._states)

    def _states(self) -> list[PackState]:
        infos = lifecycle.packs(self._root, closed=False)
        self._infos = {info.name: info for info in infos}
        return [PackState(info.name, info.end is not None, info.complete or _owes_nobody(info)) for info in infos]

    async def entries(self, pack: str) -> list[Entry]:
        return await asyncio.to_thread(lifecycle.published_entries, self._infos[pack])

    async def load(self, pack: str, entries: Sequence[Entry]) -> list[Accepted]:
        return await asyncio.to_thread(lambda: [mail for mail, _ in scan.load(self._root, pack, entries)])

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        def read() -> Accepted | None:
            try:
                found = [entry for entry in scan.index(self._root / pack) if entry.offset == offset]
                return next((mail for mail, _ in scan.load(self._root, pack, found)), None)
            except BodyMissing:
                return None

        return await asyncio.to_thread(read)

    async def find(self, mail_id: str, named: float) -> Accepted | None:
        return await asyncio.to_thread(lookup.find, self._root, mail_id, named)

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        return await asyncio.to_thread(lookup.find_called, self._root, message_id, most)

    async def named(self, before: str) -> set[str]:
        def read() -> set[str]:
            open_ones = lifecycle.packs(self._root, closed=False)
            return {entry.mail_id for info in open_ones for entry in scan.index(info.path) if entry.mail_id < before}

        return await asyncio.to_thread(read)

    async def still_open(self, names: Collection[str]) -> set[str]:
        return await asyncio.to_thread(self._still_open, names)

    def _still_open(self, names: Collection[str]) -> set[str]:
        there = [(name, self._root / name) for name in names if (self._root / name).exists()]
        found = {name for name, path in there if not path.with_suffix(".closed").exists()}
        # Without any writer the journal is away (not mounted), and nothing can be said of its packs.
        return found if writer_folders(self._root) else set(names)

    async def close(self, pack: str) -> None:
        await asyncio.to_thread(lifecycle.close_pack, self._root, pack)

    async def collect(self, referenced: Callable[[Sequence[str]], Awaitable[set[str]]], grace: float) -> list[str]:
        async def kept(names: Sequence[str]) -> set[str]:
            young = await asyncio.to_thread(self._young, names, grace)
            old = [name for name in names if name not in young]
            return young | (await referenced(old) if old else set())

        return await lifecycle.collect(self._root, kept, now=self._clock.now())

    def _young(self, names: Sequence[str], grace: float) -> set[str]:
        """Those that changed, or were closed, within the grace."""
        since = self._clock.now() - grace
        young = set()
        for name in names:
            path = self._root / name
            for each in (path, path.with_suffix(".closed")):
                try:
                    if each.stat().st_mtime > since:
                        young.add(name)
                except FileNotFoundError:
                    continue
        return young
