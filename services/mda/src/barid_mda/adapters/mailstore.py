"""The mailstore over the bus."""

from collections.abc import Sequence

from barid_contracts.mail import Key
from barid_contracts.settle import (
    COUNT_ATTEMPT,
    MAILSTORE_MISSING,
    SETTLE,
    AttemptRequest,
    MissingRequest,
    Settled,
    SettleReply,
)
from barid_contracts.store import MAILBOX_STATUS, MailboxName
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import call

SETTLE_DEADLINE = 15.0
"""Seconds: a full batch behind a checkpoint on a slow disk. A repeated one costs as much again, so be patient."""


class BusMailstore:
    """Implements ports.Mailstore."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def settle(self, request: bytes, traces: str) -> list[Settled]:
        reply = await self._bus.request(SETTLE.subject, request, timeout=SETTLE_DEADLINE, traces=traces)
        # Nearly always nothing is stale, and a mail_id can't hold lower case: so the reply need not be parsed.
        if b"stale" not in reply:
            return []
        return [result for result in SettleReply.model_validate_json(reply).results if result.status == "stale"]

    async def count_attempts(self, keys: Sequence[Key], error: str) -> list[int]:
        return (await call(self._bus, COUNT_ATTEMPT, AttemptRequest(keys=list(keys), error=error))).counts

    async def missing(self, keys: Sequence[Key]) -> set[tuple[str, int]]:
        reply = await call(self._bus, MAILSTORE_MISSING, MissingRequest(keys=list(keys)))
        return {(key.mail_id, key.n) for key in reply.keys}

    async def mailbox_exists(self, account: str, mailbox: str) -> bool:
        try:
            info = await call(self._bus, MAILBOX_STATUS, MailboxName(account=account, name=mailbox))
        except OperationFailed as problem:
            if problem.code in ("not_found", "invalid"):
                return False
            raise
        return info.selectable
