"""Messages of a mailbox: what IMAP and POP3 read and change.

APPEND and COPY have keys, for done twice they leave two copies. STORE and EXPUNGE need none: the second finds what the
first has left, and changes nothing.
"""

from collections.abc import Awaitable
from typing import TypeVar

from barid_contracts.store import (
    APPEND,
    APPEND_ALL,
    COPY,
    EXPUNGE,
    FIND,
    STORE,
    SUMMARIES,
    VIEW,
    AppendAllRequest,
    AppendReply,
    AppendRequest,
    CopyReply,
    CopyRequest,
    ExpungeReply,
    ExpungeRequest,
    StoreReply,
    StoreRequest,
    SummariesRequest,
)
from barid_runtime.bus.port import OperationFailed
from barid_runtime.database.port import OutcomeUnknown
from barid_runtime.logging import get_logger

from ..ports.store import Store
from .serving import Serving, parsed
from .telling import Teller

T = TypeVar("T")

log = get_logger("mailstore")


class MessageHandlers:
    def __init__(self, store: Store, teller: Teller) -> None:
        self._store = store
        self._teller = teller

    async def serve(self, serving: Serving) -> None:
        await serving.operation(VIEW, self._store.views.view)
        await serving.raw(SUMMARIES.subject, self.summaries)
        await serving.operation(FIND, self._store.views.find)
        await serving.operation(STORE, self.store)
        await serving.operation(COPY, self.copy)
        await serving.operation(EXPUNGE, self.expunge)
        await serving.operation(APPEND, self.append)
        await serving.operation(APPEND_ALL, self.append_all)

    async def summaries(self, payload: bytes) -> bytes:
        request = parsed(SummariesRequest, payload)
        return await self._store.views.summaries(request.account, request.mailbox, request.uids, request.fields)

    async def store(self, request: StoreRequest) -> StoreReply:
        return await self._teller.tell(
            await self._store.messages.store(
                request.account, request.mailbox, request.uids, request.mode, request.flags, request.unchanged_since
            )
        )

    async def copy(self, request: CopyRequest) -> CopyReply:
        work = self._store.copying.copy(
            request.account,
            request.mailbox,
            request.uids,
            request.target,
            move=request.move,
            key=request.key,
            not_after=request.not_after,
        )
        return await self._teller.tell(await _saying_if_unknown(work))

    async def expunge(self, request: ExpungeRequest) -> ExpungeReply:
        return await self._teller.tell(
            await self._store.messages.expunge(
                request.account, request.mailbox, request.uids, only_deleted=request.only_deleted
            )
        )

    async def append(self, request: AppendRequest) -> AppendReply:
        work = self._store.messages.append(
            request.account, request.mailbox, request.mail, request.flags, request.date, not_after=request.not_after
        )
        return await self._teller.tell(await _saying_if_unknown(work))

    async def append_all(self, request: AppendAllRequest) -> AppendReply:
        work = self._store.messages.append_all(
            request.account, request.mailbox, request.items, request.replaces, not_after=request.not_after
        )
        return await self._teller.tell(await _saying_if_unknown(work))


async def _saying_if_unknown(work: Awaitable[T]) -> T:
    """A client must not hear NO to what may stand there: whoever asked for it by a key asks again."""
    try:
        return await work
    except OutcomeUnknown as error:
        log.warning("outcome unknown", error=str(error))
        raise OperationFailed("unknown", "It may have been done") from error
