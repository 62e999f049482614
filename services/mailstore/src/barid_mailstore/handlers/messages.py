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

from ..ports.store import Store
from .serving import Serving, parsed
from .telling import Teller


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
        return await self._teller.tell(
            await self._store.messages.append(
                request.account, request.mailbox, request.mail, request.flags, request.date
            )
        )
