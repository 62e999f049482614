"""Messages of a mailbox: what IMAP and POP3 read and change."""

from barid_contracts.store import (
    APPEND,
    COPY,
    EXPUNGE,
    FIND,
    STORE,
    SUMMARIES,
    VIEW,
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
from barid_runtime.clock import Clock

from ..ports.errors import TooLate
from ..ports.store import Store
from .serving import Serving, parsed
from .telling import Teller


class MessageHandlers:
    def __init__(self, store: Store, teller: Teller, clock: Clock) -> None:
        self._store = store
        self._teller = teller
        self._clock = clock

    async def serve(self, serving: Serving) -> None:
        await serving.operation(VIEW, self._store.views.view)
        await serving.raw(SUMMARIES.subject, self.summaries)
        await serving.operation(FIND, self._store.views.find)
        await serving.operation(STORE, self.store)
        await serving.operation(COPY, self.copy)
        await serving.operation(EXPUNGE, self.expunge)
        await serving.operation(APPEND, self.append)

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
        self._refuse_late(request.not_after)
        return await self._teller.tell(
            await self._store.copying.copy(
                request.account, request.mailbox, request.uids, request.target, move=request.move
            )
        )

    async def expunge(self, request: ExpungeRequest) -> ExpungeReply:
        return await self._teller.tell(
            await self._store.messages.expunge(
                request.account, request.mailbox, request.uids, only_deleted=request.only_deleted
            )
        )

    async def append(self, request: AppendRequest) -> AppendReply:
        self._refuse_late(request.not_after)
        return await self._teller.tell(
            await self._store.messages.append(
                request.account, request.mailbox, request.mail, request.flags, request.date
            )
        )

    def _refuse_late(self, not_after: int) -> None:
        """Who was frozen, or far behind, finds requests that nobody waits for: what they ask would be done twice."""
        if not_after and self._clock.now() * 1000 >= not_after:
            raise TooLate("Not in time")
