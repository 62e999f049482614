"""The service: opens the doors, answers the operations, ends in order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from barid_contracts.base import Message, Operation
from barid_contracts.directory import (
    ACCOUNT_CREATE,
    ACCOUNT_DELETE,
    ACCOUNT_GET,
    ACCOUNT_LIST,
    ACCOUNT_UPDATE,
    ALIAS_DELETE,
    ALIAS_LIST,
    ALIAS_PUT,
    AUTHENTICATE,
    BAN_LIFT,
    BAN_LIST,
    DIRECTORY_CHANGED,
    DOMAIN_DELETE,
    DOMAIN_LIST,
    DOMAIN_PUT,
    EXPLAIN,
    PASSWORD_CHANGE,
    RESOLVE,
    DirectoryChanged,
)
from barid_contracts.status import Findings
from barid_runtime.bus.port import Bus, OperationFailed, Subscription
from barid_runtime.bus.typed import announce, answer, listen
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError, ValueRefused
from barid_runtime.logging import get_logger

from ..ports import PasswordHasher, Store
from ..settings import MOST_FAILURES
from .accounts import Accounts
from .aliases import Aliases
from .authentication import Authentication
from .domains import Domains
from .guesses import Guesses
from .resolution import Resolutions

log = get_logger("barid.directory")

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

QUEUE = "directory"
"""The queue group: instances share the requests."""


class DirectoryService:
    """Implements barid_runtime.service.Service. Its doors are opened by `start`, so a failed start can be repeated."""

    name = "directory"

    def __init__(
        self,
        *,
        open_bus: Callable[[], Awaitable[Bus]],
        open_store: Callable[[], Awaitable[Store]],
        hasher: PasswordHasher,
        clock: Clock,
        new_id: Callable[[], str],
        postmaster: str,
        max_failed_logins: int = MOST_FAILURES,
    ) -> None:
        self._open_bus = open_bus
        self._open_store = open_store
        self._hasher = hasher
        self._clock = clock
        self._new_id = new_id
        self._postmaster = postmaster
        self._max_failed_logins = max_failed_logins
        self._bus: Bus | None = None
        self._store: Store | None = None
        self._subscriptions: list[Subscription] = []
        self._store_fault = ""
        self._forgetting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            await self._open()
        except BaseException:
            await self.drain()
            raise

    async def drain(self) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.drain()
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.close()
        store, self._store = self._store, None
        if store is not None:
            await store.close()

    @property
    def bus(self) -> Bus | None:
        return self._bus

    def checks(self) -> dict[str, str]:
        return {
            "bus": "ok" if self._bus is not None and self._bus.connected else "not connected",
            "database": "not open" if self._store is None else self._store_fault or "ok",
        }

    async def inspect(self) -> Findings:
        """For the roll call."""
        return Findings() if self._store is None else await self._store.inspect()

    def ports(self) -> dict[str, int]:
        return {}

    async def _open(self) -> None:
        self._store = store = await self._open_store()
        self._bus = bus = await self._open_bus()
        guesses = Guesses(store.failures, self._clock, self._max_failed_logins)
        authentication = Authentication(store, self._hasher, bus, self._clock, guesses)
        domains = Domains(store, bus)
        accounts = Accounts(store, self._hasher, bus, self._clock, self._new_id)
        aliases = Aliases(store, bus)
        resolutions = Resolutions(store, self._postmaster)
        await self._serve(AUTHENTICATE, authentication.authenticate)
        await self._serve(PASSWORD_CHANGE, authentication.change_password)
        await self._serve(RESOLVE, resolutions.resolve)
        await self._serve(EXPLAIN, resolutions.explain)
        await self._serve(DOMAIN_PUT, domains.put)
        await self._serve(DOMAIN_LIST, domains.all)
        await self._serve(DOMAIN_DELETE, domains.delete)
        await self._serve(ACCOUNT_CREATE, accounts.create)
        await self._serve(ACCOUNT_UPDATE, accounts.update)
        await self._serve(ACCOUNT_DELETE, accounts.delete)
        await self._serve(ACCOUNT_LIST, accounts.page)
        await self._serve(ACCOUNT_GET, accounts.get)
        await self._serve(ALIAS_PUT, aliases.put)
        await self._serve(ALIAS_LIST, aliases.page)
        await self._serve(ALIAS_DELETE, aliases.delete)
        await self._serve(BAN_LIST, guesses.bans)
        await self._serve(BAN_LIFT, guesses.lift)
        self._forgetting = asyncio.get_running_loop().create_task(guesses.keep_forgetting(), name="forget-failures")
        self._subscriptions.append(await listen(bus, DIRECTORY_CHANGED, self._heard))
        bus.on_reconnect(self._forget)
        # Whoever cached before may have missed changes that this store knows: a crash between a commit and its news.
        await announce(bus, DIRECTORY_CHANGED, DirectoryChanged(everything=True))

    async def _heard(self, change: DirectoryChanged) -> None:
        """Of another replica, or of our own once more, which costs a read."""
        await self._forget()

    async def _forget(self) -> None:
        if self._store is None:
            return
        try:
            await self._store.forget()
        except DatabaseError as error:
            log.warning("the database does not answer", error=str(error))

    async def _serve(self, operation: Operation[Q, A], handler: Callable[[Q], Awaitable[A]]) -> None:
        """A database that can't answer now is `unavailable`: whoever asked says 4xx, and readiness shows it."""

        async def guarded(request: Q) -> A:
            try:
                reply = await handler(request)
            except ValueRefused as error:
                raise OperationFailed("invalid", str(error)) from error
            except DatabaseError as error:
                if not self._store_fault:
                    log.warning("the database does not answer", error=str(error))
                self._store_fault = "the last operation failed"
                raise OperationFailed("unavailable", "the directory can't answer now") from error
            self._store_fault = ""
            return reply

        assert self._bus is not None
        self._subscriptions.append(await answer(self._bus, operation, guarded, queue=QUEUE))
