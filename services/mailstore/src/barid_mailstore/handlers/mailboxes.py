"""Mailboxes by name."""

from barid_contracts.base import Empty
from barid_contracts.store import (
    MAILBOX_CREATE,
    MAILBOX_DELETE,
    MAILBOX_RENAME,
    MAILBOX_STATUS,
    MAILBOX_SUBSCRIBE,
    MAILBOXES,
    AccountRef,
    MailboxCreate,
    MailboxInfo,
    MailboxList,
    MailboxName,
    MailboxRename,
    MailboxSubscribe,
)

from ..ports.errors import NotFound
from ..ports.store import Store
from .serving import Serving
from .telling import Teller


class MailboxHandlers:
    def __init__(self, store: Store, teller: Teller) -> None:
        self._mailboxes = store.mailboxes
        self._teller = teller

    async def serve(self, serving: Serving) -> None:
        await serving.operation(MAILBOXES, self.list_all)
        await serving.operation(MAILBOX_STATUS, self.status)
        await serving.operation(MAILBOX_CREATE, self.create)
        await serving.operation(MAILBOX_DELETE, self.delete)
        await serving.operation(MAILBOX_RENAME, self.rename)
        await serving.operation(MAILBOX_SUBSCRIBE, self.subscribe)

    async def list_all(self, request: AccountRef) -> MailboxList:
        found = await self._mailboxes.list_all(request.account)
        if found is None:
            await self._teller.tell(await self._mailboxes.touch(request.account))
            found = await self._mailboxes.list_all(request.account)
        return found or MailboxList(mailboxes=[])

    async def status(self, request: MailboxName) -> MailboxInfo:
        found = await self._mailboxes.status(request.account, request.name)
        if found is None:
            # Rarely asked for what isn't there, so the second question costs nobody much.
            await self._teller.tell(await self._mailboxes.touch(request.account))
            found = await self._mailboxes.status(request.account, request.name)
        if found is None:
            raise NotFound("No such mailbox")
        return found

    async def create(self, request: MailboxCreate) -> MailboxInfo:
        return await self._teller.tell(await self._mailboxes.create(request.account, request.name, request.special_use))

    async def delete(self, request: MailboxName) -> Empty:
        await self._teller.tell(await self._mailboxes.delete(request.account, request.name))
        return Empty()

    async def rename(self, request: MailboxRename) -> Empty:
        await self._teller.tell(await self._mailboxes.rename(request.account, request.name, request.new_name))
        return Empty()

    async def subscribe(self, request: MailboxSubscribe) -> Empty:
        await self._teller.tell(
            await self._mailboxes.subscribe(request.account, request.name, subscribed=request.subscribed)
        )
        return Empty()
