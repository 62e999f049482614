"""Settling, and what an operator does with mails that delivery could not settle."""

import time
from collections.abc import Sequence
from typing import get_args

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, Accepted, AcceptedBatch, Key
from barid_contracts.queue import HELD_ACT, HELD_LIST, HeldAction, HeldPage, QueueActionReply, QueueListRequest
from barid_contracts.settle import (
    COUNT_ATTEMPT,
    MAILSTORE_MISSING,
    SETTLE,
    AttemptReply,
    AttemptRequest,
    MissingReply,
    MissingRequest,
    Settlement,
    SettleRequest,
)
from barid_runtime import tracing
from barid_runtime.bus.port import Bus
from barid_runtime.ids import new_id
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..ports.packs import Packs
from ..ports.store import Store
from .serving import Serving, parsed
from .telling import Teller

log = get_logger("mailstore.settling")

MOST_AT_ONCE = 50
"""Mails in one message: at the 64 KB to which headers are cut it stays below what the bus takes."""


class Meters:
    """Bound once: an unbound counter costs three times as much."""

    def __init__(self, metrics: Metrics) -> None:
        settled = metrics.counter("settled", "Local obligations settled", ["outcome"])
        self.outcomes = {name: settled.labels(name) for name in get_args(Settlement.model_fields["outcome"].annotation)}
        answers = metrics.counter("settle_answers", "Answers that changed nothing", ["status"])
        self.unchanged = {name: answers.labels(name) for name in ("repeated", "stale")}
        self.batch = metrics.sizes("settle_batch", "Settlements in one request")
        self.owed = metrics.counter("reconciler_owed", "Obligations found without an outcome")
        self.republished = metrics.counter("reconciler_republished", "Mails published again")
        self.closed = metrics.counter("packs_closed", "Packs that owe nothing any more")
        self.damaged = metrics.counter("damaged", "Obligations held because their record can't be read")
        self.deleted = metrics.counter("packs_deleted", "Packs and large bodies deleted")
        self.held = metrics.gauge("held", "Mails held for an operator's decision, by their obligations")
        self.unclosed = metrics.gauge("packs_unclosed", "Packs that owe something, or are written; of who reconciles")
        self.reconciled = metrics.gauge("reconciled_timestamp_seconds", "When a round of the reconciler ended last")
        self.settled_total = 0
        """All outcomes since the start; the reconciler looks whether delivery is at work."""


class SettlingHandlers:
    def __init__(self, store: Store, packs: Packs, bus: Bus, teller: Teller, meters: Meters) -> None:
        self._store = store
        self._packs = packs
        self._bus = bus
        self._teller = teller
        self._meters = meters

    async def serve(self, serving: Serving) -> None:
        await serving.raw(SETTLE.subject, self.settle)
        await serving.operation(COUNT_ATTEMPT, self.count_attempt)
        await serving.operation(MAILSTORE_MISSING, self.missing)
        await serving.operation(HELD_LIST, self.held_list)
        await serving.operation(HELD_ACT, self.held_act)

    async def settle(self, payload: bytes) -> bytes:
        """SettleRequest to SettleReply, by hand: the reply's models would cost 2 µs a mail."""
        request = parsed(SettleRequest, payload)
        settlements = request.settlements
        began = time.time_ns() if tracing.door is not None else 0
        commit = await self._store.settling.settle(request)
        traces = traced(settlements, commit.result, began) if began else {}
        statuses = await self._teller.tell(commit, traces)
        meters = self._meters
        meters.batch.observe(len(statuses))
        counts: dict[str, int] = {}
        for settlement, status in zip(settlements, statuses, strict=True):
            name = settlement.outcome if status == "done" else status
            counts[name] = counts.get(name, 0) + 1
            if name in ("held", "bounced"):
                log.warning(
                    name,
                    mail_id=settlement.mail_id,
                    n=settlement.n,
                    account=settlement.account,
                    reason=settlement.reason,
                )
        for name, count in counts.items():
            if name in meters.outcomes:
                meters.outcomes[name].inc(count)
                meters.settled_total += count
            else:
                meters.unchanged[name].inc(count)
        results = ",".join(
            [
                f'{{"mail_id":"{settlement.mail_id}","n":{settlement.n},"status":"{status}"}}'
                for settlement, status in zip(settlements, statuses, strict=True)
            ]
        )
        return f'{{"results":[{results}]}}'.encode()

    async def count_attempt(self, request: AttemptRequest) -> AttemptReply:
        counts = await self._teller.tell(await self._store.ledger.count_attempts(request.keys, request.error))
        for key, count in zip(request.keys, counts, strict=True):
            log.warning("attempt failed", mail_id=key.mail_id, n=key.n, count=count, error=request.error)
        return AttemptReply(counts=counts)

    async def missing(self, request: MissingRequest) -> MissingReply:
        return MissingReply(keys=await self._store.ledger.missing(request.keys))

    async def held_list(self, request: QueueListRequest) -> HeldPage:
        return await self._store.held.page(request.after, request.limit)

    async def held_act(self, request: HeldAction) -> QueueActionReply:
        if request.action == "discard":
            return QueueActionReply(changed=await self._teller.tell(await self._store.held.discard(request.keys)))
        handed_over = await self._mend(request.keys)
        mails = await self._teller.tell(await self._store.held.release(request.keys))
        await publish_again(self._bus, ACCEPTED_LOCAL.subject, mails)
        return QueueActionReply(changed=len(mails) + handed_over)

    async def _mend(self, keys: list[Key]) -> int:
        """Look again at records that could not be read. Returns how many of them are the relay's now."""
        held = self._store.held
        handed_over = 0
        for key, pack, offset in await held.damaged(keys):
            mail = await self._packs.load_again(pack, offset)
            own = [o for o in mail.obligations if o.n == key.n] if mail is not None else []
            if mail is None or not own:
                log.warning("still damaged", mail_id=key.mail_id, n=key.n, pack=pack)
            elif own[0].kind == "account":
                await self._teller.tell(await held.mend(key, mail))
            else:
                # The bus has it before we let it go: what the relay gets twice changes nothing there.
                await publish_again(self._bus, ACCEPTED_REMOTE.subject, [mail.model_copy(update={"obligations": own})])
                await self._teller.tell(await held.hand_over(key))
                handed_over += 1
        return handed_over


def traced(settlements: Sequence[Settlement], statuses: Sequence[str], began: int) -> dict[str, str]:
    """Their steps in the traces of their mails, which end now. Account → header for those who are told of it."""
    door = tracing.door
    if door is None:
        return {}
    parents = tracing.Parents(tracing.incoming.get())
    steps: dict[str, list[tracing.Step]] = {}
    for settlement, status in zip(settlements, statuses, strict=True):
        mail_id = settlement.mail_id
        step = door.begin("mailstore", "mailstore.settle", mail_id, parent=parents.take(mail_id), began=began)
        if step is not None:
            step.end(n=settlement.n, outcome=settlement.outcome, status=status)
            steps.setdefault(settlement.account, []).append(step)
    return {account: tracing.header_of(of_account) for account, of_account in steps.items()}


async def publish_again(bus: Bus, subject: str, mails: list[Accepted]) -> None:
    """Give mails to delivery once more. The message ids are fresh: the bus must not take them for what it had."""
    door = tracing.door
    for start in range(0, len(mails), MOST_AT_ONCE):
        batch = AcceptedBatch(mails=mails[start : start + MOST_AT_ONCE])
        begun = [] if door is None else [door.begin("mailstore", "mailstore.republish", m.mail_id) for m in batch.mails]
        payload = batch.model_dump_json().encode()
        traces = tracing.header_of(begun)
        await bus.publish_durable(subject, payload, message_id=f"again/{new_id()}", traces=traces)
        for step in begun:
            if step is not None:
                step.end(subject=subject)
