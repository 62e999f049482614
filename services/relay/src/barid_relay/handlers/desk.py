"""Questions and orders of operators, and of the reconciler."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from barid_contracts import queue as contracts
from barid_contracts import settle
from barid_contracts.base import Empty, Message, Operation
from barid_contracts.mail import Key
from barid_contracts.trace import RELAY_TRACE, TraceReply, TraceRequest
from barid_protocols.smtp import canonical_domain
from barid_runtime.bus.port import Bus, OperationFailed, Subscription
from barid_runtime.bus.typed import answer
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger

from ..ports.hosts import Answer, Fate
from ..ports.queue import Queue
from .scheduler import Scheduler
from .settling import Settling

QUEUE_GROUP = "relay"

ENDED_AT_ONCE = 100
"""Mails ended in one go when an operator bounces or drops the whole queue: each may need its header read."""

BY_OPERATOR = {
    "bounce": Answer(Fate.BOUNCED, "5.0.0", reason="An operator of this system gave the mail back"),
    "drop": Answer(Fate.DISCARDED, "2.0.0", reason="An operator of this system dropped the mail"),
}

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

log = get_logger("relay.desk")


class Desk:
    def __init__(
        self, queue: Queue, settling: Settling, scheduler: Scheduler, clock: Clock, *, lease_seconds: float
    ) -> None:
        self._queue = queue
        self._settling = settling
        self._scheduler = scheduler
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._subscriptions: list[Subscription] = []

    async def serve(self, bus: Bus) -> None:
        await self._answer(bus, contracts.QUEUE_LIST, self._list)
        await self._answer(bus, contracts.QUEUE_ACT, self._act)
        await self._answer(bus, contracts.CAPTURED_LIST, self._captured)
        await self._answer(bus, contracts.CAPTURED_CLEAR, self._clear_captured)
        await self._answer(bus, settle.RELAY_MISSING, self._missing)
        await self._answer(bus, settle.RELAY_REFERENCES, self._references)
        await self._answer(bus, RELAY_TRACE, self._trace)

    async def drain(self) -> None:
        while self._subscriptions:
            await self._subscriptions.pop().drain()

    async def _answer(self, bus: Bus, operation: Operation[Q, A], handler: Callable[[Q], Awaitable[A]]) -> None:
        async def handle(request: Q) -> A:
            try:
                return await handler(request)
            except ValueError as error:
                raise OperationFailed("invalid", str(error)) from error
            except DatabaseError as error:
                log.warning("database", subject=operation.subject, error=str(error))
                raise OperationFailed("unavailable", "The relay can't do it now") from error

        self._subscriptions.append(await answer(bus, operation, handle, queue=QUEUE_GROUP))

    def _now(self) -> int:
        return int(self._clock.now() * 1000)

    async def _list(self, request: contracts.QueueListRequest) -> contracts.QueuePage:
        domain = canonical_domain(request.domain) if request.domain else None
        return await self._queue.page(request.after, request.limit, domain, self._now())

    async def _act(self, request: contracts.QueueAction) -> contracts.QueueActionReply:
        if request.action == "bounce" or request.action == "drop":
            ending = BY_OPERATOR[request.action]
            changed = await (self._end_all(ending) if request.keys is None else self._end(request.keys, ending))
        else:
            changed = await self._queue.act(request.action, request.keys, self._now())
            if request.action != "hold":
                self._scheduler.look(forget_rests=True)
        log.info("operator", action=request.action, all=request.keys is None, changed=changed)
        return contracts.QueueActionReply(changed=changed)

    async def _end(self, keys: list[Key], ending: Answer) -> int:
        """As any other outcome: leased first, so that what is being sent at this moment is left alone."""
        changed = 0
        for parcel in await self._queue.lease_keys(keys, self._lease_seconds):
            await self._settling.answers(parcel, [ending] * len(parcel.recipients))
            changed += len(parcel.recipients)
        return changed

    async def _end_all(self, ending: Answer) -> int:
        changed = 0
        keys, after = await self._queue.keys(0, ENDED_AT_ONCE)
        while keys:
            changed += await self._end(keys, ending)
            keys, after = await self._queue.keys(after, ENDED_AT_ONCE)
        return changed

    async def _captured(self, request: contracts.CapturedRequest) -> contracts.CapturedPage:
        return await self._queue.captured(request.after, request.limit, request.address, request.subject)

    async def _clear_captured(self, request: Empty) -> contracts.QueueActionReply:
        return contracts.QueueActionReply(changed=await self._queue.clear_captured())

    async def _missing(self, request: settle.MissingRequest) -> settle.MissingReply:
        return settle.MissingReply(keys=await self._queue.missing(request.keys))

    async def _references(self, request: settle.ReferencesRequest) -> settle.ReferencesReply:
        return settle.ReferencesReply(packs=await self._queue.referenced(request.packs))

    async def _trace(self, request: TraceRequest) -> TraceReply:
        if not request.mail_id and not request.message_id:
            raise ValueError("Name a mail by its id or its Message-ID")
        return TraceReply(steps=await self._queue.trace(request.mail_id, request.message_id, self._now()))
