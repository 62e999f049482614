"""The counters of mailboxes, asked of the mailstore. Those who ask at the same time share an answer, and no answer is
older than the question: whoever comes while a question is under way joins the next one. But if the one under way gets
no answer, those behind it don't wait for another deadline: they are told the same."""

import asyncio

from barid_contracts.store import MAILBOX_STATUS, MailboxInfo, MailboxName
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call

Key = tuple[str, str]


class Statuses:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._under_way: dict[Key, asyncio.Future[BusError | None]] = {}
        self._next: dict[Key, asyncio.Task[MailboxInfo]] = {}

    async def ask(self, account: str, name: str) -> MailboxInfo:
        """Raises BusError; OperationFailed(`not_found`)."""
        key = (account, name)
        if key not in self._under_way:
            return await self._ask(key)
        following = self._next.get(key)
        if following is None:
            following = asyncio.get_running_loop().create_task(self._ask_behind(key))
            self._next[key] = following
            following.add_done_callback(_retrieved)
        return await asyncio.shield(following)

    async def _ask_behind(self, key: Key) -> MailboxInfo:
        try:
            while (before := self._under_way.get(key)) is not None:
                if (silence := await before) is not None:
                    raise silence
        finally:
            del self._next[key]
        return await self._ask(key)

    async def _ask(self, key: Key) -> MailboxInfo:
        done: asyncio.Future[BusError | None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = done
        silence: BusError | None = None
        try:
            return await call(self._bus, MAILBOX_STATUS, MailboxName(account=key[0], name=key[1]))
        except OperationFailed:
            raise
        except BusError as error:
            silence = error
            raise
        finally:
            del self._under_way[key]
            done.set_result(silence)


def _retrieved(task: "asyncio.Task[MailboxInfo]") -> None:
    """Whoever waited may be gone: nobody else need hear of its failure."""
    if not task.cancelled():
        task.exception()
