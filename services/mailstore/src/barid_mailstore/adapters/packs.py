"""The journal's packs as the reconciler names things, over whatever keeps them (`barid_runtime.journal.keeper`)."""

from collections.abc import Awaitable, Callable, Sequence

from barid_contracts.mail import Accepted
from barid_runtime.journal.keeper import PackKeeper

from ..policy.timeline import time_of
from ..policy.times import time_prefix
from ..ports.packs import PackEntry, PackState


class JournalPacks:
    def __init__(self, keeper: PackKeeper) -> None:
        self._keeper = keeper

    async def states(self) -> list[PackState]:
        return [PackState(each.name, each.sealed, each.complete) for each in await self._keeper.states()]

    async def entries(self, pack: str) -> list[PackEntry]:
        entries = await self._keeper.entries(pack)
        return [PackEntry(entry.mail_id, entry.offset, entry.accounts, entry.remotes) for entry in entries]

    async def load(self, pack: str, entries: Sequence[PackEntry]) -> list[Accepted]:
        wanted = {entry.offset for entry in entries}
        return await self._keeper.load(pack, [e for e in await self._keeper.entries(pack) if e.offset in wanted])

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        return await self._keeper.load_again(pack, offset)

    async def find(self, mail_id: str) -> Accepted | None:
        return await self._keeper.find(mail_id, time_of(mail_id) / 1000)

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        return await self._keeper.find_called(message_id, most)

    async def named(self, before: float) -> set[str]:
        return await self._keeper.named(time_prefix(int(before * 1000)))

    async def close(self, pack: str) -> None:
        await self._keeper.close(pack)

    async def collect(self, referenced: Callable[[Sequence[str]], Awaitable[set[str]]], grace: float) -> list[str]:
        return await self._keeper.collect(referenced, grace)
