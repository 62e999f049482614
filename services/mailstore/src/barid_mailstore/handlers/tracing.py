"""The trace of a mail: what the ledger has of it, and what the journal still owes.

The ledger knows ends only. A mail without one stands in a pack that isn't closed, or is a held mail that was released.
Looking it up there reads the disk, so it is done for one asker at a time.
"""

import asyncio

from barid_contracts.mail import Accepted, Key
from barid_contracts.settle import RELAY_MISSING, MissingRequest
from barid_contracts.trace import MAILSTORE_TRACE, TraceReply, TraceRequest, TraceStep
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.journal.port import JournalError
from barid_runtime.logging import get_logger

from ..policy.under_way import accepted, waiting
from ..ports.errors import Invalid
from ..ports.packs import Packs
from ..ports.store import Store
from .serving import Serving

RELAY_SECONDS = 1.0
"""For the relay's answer: who asks for a trace waits for us no longer than for others."""

CALLED_MOST = 50
"""Mails under way of one Message-ID."""

RELEASED_MOST = 2_000

log = get_logger("mailstore")


class TraceHandlers:
    def __init__(self, store: Store, packs: Packs, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._packs = packs
        self._bus = bus
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def serve(self, serving: Serving) -> None:
        await serving.operation(MAILSTORE_TRACE, self.trace)

    async def trace(self, request: TraceRequest) -> TraceReply:
        if request.mail_id:
            return TraceReply(steps=await self._steps(request.mail_id, await self._find(request.mail_id)))
        if not request.message_id:
            raise Invalid("Name a mail by its id or its Message-ID")
        found = {mail.mail_id: mail for mail in await self._find_called(request.message_id)}
        settled = await self._store.ledger.mails_called(request.message_id, self._clock.now())
        steps: list[TraceStep] = []
        for mail_id in sorted({*found, *settled}):
            steps += await self._steps(mail_id, found.get(mail_id))
        return TraceReply(steps=steps)

    async def _steps(self, mail_id: str, mail: Accepted | None) -> list[TraceStep]:
        owed: set[int] = set()
        relay_answers = True
        if mail is not None:
            owed, relay_answers = await self._owed(mail)
        steps = await self._store.ledger.trace(mail_id)
        if mail is None or not (owed or steps):
            return steps  # the relay's alone, or nobody's
        # One that ended since we asked who is owed is not told as both.
        ended = {step.n for step in steps if step.what not in ("attempt", "child")}
        if not any(step.what == "accepted" for step in steps):
            steps = [accepted(mail), *steps]
        return steps + waiting(mail, owed - ended, self._clock.now(), relay_answers=relay_answers)

    async def _owed(self, mail: Accepted) -> tuple[set[int], bool]:
        """Numbers without an outcome; and whether the relay told of those that are its own."""
        keys = [Key(mail_id=mail.mail_id, n=obligation.n) for obligation in mail.obligations]
        missing = await self._store.ledger.missing(keys) if keys else []
        remote = {obligation.n for obligation in mail.obligations if obligation.kind == "remote"}
        owed = {key.n for key in missing}
        relays = [key for key in missing if key.n in remote]
        if not relays:
            return owed, True
        try:
            reply = await call(self._bus, RELAY_MISSING, MissingRequest(keys=relays), timeout=RELAY_SECONDS)
        except BusError:
            return owed, False
        return owed - remote | {key.n for key in reply.keys}, True

    async def _find(self, mail_id: str) -> Accepted | None:
        """Its record; of one that was held and is owed again, the part that is."""
        try:
            async with self._one_at_a_time:
                found = await self._packs.find(mail_id)
        except (JournalError, OSError) as error:
            log.warning("journal not searched", mail_id=mail_id, reason=str(error))
            found = None
        if found is not None:
            return found
        released = await self._store.held.released_before(self._clock.now() + 1, RELEASED_MOST)
        mine = [mail for mail in released if mail.mail_id == mail_id]
        if not mine:
            return None
        obligations = [obligation for mail in mine for obligation in mail.obligations]
        return mine[0].model_copy(update={"obligations": obligations})

    async def _find_called(self, message_id: str) -> list[Accepted]:
        try:
            async with self._one_at_a_time:
                return await self._packs.find_called(message_id, CALLED_MOST)
        except (JournalError, OSError) as error:
            log.warning("journal not searched", message_id=message_id, reason=str(error))
            return []
