"""The journal's packs on a local directory. All of it reads the disk, so all of it runs in a thread."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from barid_contracts.mail import Accepted
from barid_runtime.clock import Clock
from barid_runtime.journal import lifecycle, lookup, scan
from barid_runtime.journal.lifecycle import PackInfo
from barid_runtime.journal.port import BodyMissing

from ..policy.timeline import time_of
from ..policy.times import time_prefix
from ..ports.packs import PackEntry, PackState


def _owes_nobody(info: PackInfo) -> bool:
    """A sealed pack without any obligation (of APPENDs alone) is complete whether or not anybody publishes it."""
    return info.end is not None and not any(entry.accounts or entry.remotes for entry in scan.index(info.path))


class LocalPacks:
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

    async def entries(self, pack: str) -> list[PackEntry]:
        entries = await asyncio.to_thread(lifecycle.published_entries, self._infos[pack])
        return [PackEntry(entry.mail_id, entry.offset, entry.accounts, entry.remotes) for entry in entries]

    async def load(self, pack: str, entries: Sequence[PackEntry]) -> list[Accepted]:
        wanted = {entry.offset for entry in entries}

        def read() -> list[Accepted]:
            found = [e for e in lifecycle.published_entries(self._infos[pack]) if e.offset in wanted]
            return [mail for mail, _ in scan.load(self._root, pack, found)]

        return await asyncio.to_thread(read)

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        def read() -> Accepted | None:
            try:
                found = [entry for entry in scan.index(self._root / pack) if entry.offset == offset]
                return next((mail for mail, _ in scan.load(self._root, pack, found)), None)
            except BodyMissing:
                return None

        return await asyncio.to_thread(read)

    async def find(self, mail_id: str) -> Accepted | None:
        return await asyncio.to_thread(lookup.find, self._root, mail_id, time_of(mail_id) / 1000)

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        return await asyncio.to_thread(lookup.find_called, self._root, message_id, most)

    async def named(self, before: float) -> set[str]:
        end = time_prefix(int(before * 1000))

        def read() -> set[str]:
            open_ones = lifecycle.packs(self._root, closed=False)
            return {entry.mail_id for info in open_ones for entry in scan.index(info.path) if entry.mail_id < end}

        return await asyncio.to_thread(read)

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
