"""The trace of a mail, as far as its local obligations go."""

from barid_contracts.trace import MAILSTORE_TRACE, TraceReply, TraceRequest, TraceStep
from barid_runtime.clock import Clock

from ..ports.errors import Invalid
from ..ports.store import Store
from .serving import Serving


class TraceHandlers:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._ledger = store.ledger
        self._clock = clock

    async def serve(self, serving: Serving) -> None:
        await serving.operation(MAILSTORE_TRACE, self.trace)

    async def trace(self, request: TraceRequest) -> TraceReply:
        if request.mail_id:
            return TraceReply(steps=await self._ledger.trace(request.mail_id))
        if not request.message_id:
            raise Invalid("Name a mail by its id or its Message-ID")
        steps: list[TraceStep] = []
        for mail_id in reversed(await self._ledger.mails_called(request.message_id, self._clock.now())):
            steps += await self._ledger.trace(mail_id)
        return TraceReply(steps=steps)
