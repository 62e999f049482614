"""A group of bus messages becomes one settle request, and their mails' obligations get their ends.

Who is to blame when it fails? An outage: nobody, it is waited out (patience.py). An exception while deciding, or a
refusal by the mailstore: the mail. It is counted durably; at MAX_ATTEMPTS it is settled as `held`, before that its bus
message comes again after a pause. Its neighbours are settled all the same. What kills the whole process leaves no
exception: see `single_out`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from barid_contracts.directory import Account
from barid_runtime import tracing
from barid_runtime.bus.port import BusError, Delivery
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..policy.delivery import Site, decide, held
from ..policy.proposal import Outcome, Proposal, joined, settle_request
from ..ports import Accounts, Mailstore, Script, Scripts, Unknown
from .parcels import Owed, Parcel, Piece, batch_of, groups, owed_of, parse, pieces
from .patience import Abandoned, Patience
from .steps import begun

MAX_ATTEMPTS = 3
"""Failures of one mail after which it is held for the operator."""

MAX_STALE_ROUNDS = 5
"""Times that a script may change under a delivery before the mail waits for its redelivery."""

LOADS_AT_ONCE = 32
"""Accounts and scripts asked for at once."""

log = get_logger("barid.mda")
_metrics = Metrics("mda")
_settled = _metrics.counter("settled", "Obligations settled, by outcome", ["outcome"])
_by_outcome = {outcome: _settled.labels(outcome) for outcome in get_args(Outcome)}
_batch_sizes = _metrics.sizes("batch_obligations", "Obligations in one settle request")
_delivered = _metrics.seconds(
    "delivered", "From a mail's acceptance to its obligation settled, by both machines' clocks"
)
_failures = _metrics.counter("failures", "Obligations whose handling failed")


class Settling:
    def __init__(
        self, accounts: Accounts, scripts: Scripts, mailstore: Mailstore, patience: Patience, clock: Clock, site: Site
    ) -> None:
        self._accounts = accounts
        self._scripts = scripts
        self._mailstore = mailstore
        self._patience = patience
        self._clock = clock
        self._site = site

    async def settle(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Settle all that these messages owe to accounts. Returns those that must come again.

        Raises Abandoned when closing: then nothing is known, and all must come again.
        """
        again: list[Delivery] = []
        for group in groups(deliveries):
            parcels = [parcel for parcel in map(parse, group) if parcel is not None]
            if parcels:
                await self._settle_group(parcels)
                again += [parcel.delivery for parcel in parcels if parcel.retry]
        return again

    async def single_out(self, delivery: Delivery) -> bool:
        """For a message that was delivered so often that one of its mails may be killing us: one obligation at a time,
        each counted durably before it is touched. The one that was counted MAX_ATTEMPTS times without having been
        settled did it, and is held unread. Returns whether the message must come again. Raises Abandoned."""
        parcel = parse(delivery)
        if parcel is None:
            return False
        owed = list(owed_of([parcel]))
        still = await self._patience.ask("mailstore", lambda: self._mailstore.missing([o.key for o in owed]))
        for one in owed:
            if (one.at_hand.mail.mail_id, one.obligation.n) not in still:
                continue
            log.warning("delivered alone", mail_id=one.at_hand.mail.mail_id, n=one.obligation.n)
            (count,) = await self._count([one], "the process ended during its delivery")
            if count > MAX_ATTEMPTS:
                await self._hold([one], "delivery ended the process each time")
            else:
                await self._run([one])
        return parcel.retry

    async def _settle_group(self, group: list[Parcel]) -> None:
        accepted = joined([parcel.delivery.payload for parcel in group])
        if accepted is None:
            for parcel in group:
                await self._settle_group([parcel])
            return
        await self._run(list(owed_of(group)), accepted)

    async def _run(self, owed: list[Owed], accepted: bytes | None = None) -> None:
        """Decide and settle. accepted: the text of the batch with all their mails, if it is at hand."""
        if tracing.door is not None:
            began = time.time_ns()
            for one in owed:
                one.began = began
        for _ in range(MAX_STALE_ROUNDS):
            if not owed:
                return
            await self._load(owed)
            decided = await self._decide(owed)
            stale = await self._send(decided, accepted)
            owed = [one for one, _ in decided if (one.at_hand.mail.mail_id, one.obligation.n) in stale]
            for one in owed:
                self._scripts.forget(one.account)
        for one in owed:
            one.parcel.retry = True

    # --- what is needed to decide

    async def _load(self, owed: Iterable[Owed]) -> None:
        """Ask for what memory does not hold, side by side. What fails here fails again, and is told, in `_decide`."""
        accounts = dict.fromkeys(one.account for one in owed)
        cold = [a for a in accounts if isinstance(self._accounts.held(a), Unknown)]
        bare = [a for a in accounts if isinstance(self._scripts.held(a), Unknown)]
        if not cold and not bare:
            return
        room = asyncio.Semaphore(LOADS_AT_ONCE)

        async def load(account: str, *, script: bool) -> None:
            async with room:
                if script:
                    await self._script(account)
                else:
                    await self._account(account)

        loads = [load(a, script=False) for a in cold] + [load(a, script=True) for a in bare]
        results = await asyncio.gather(*loads, return_exceptions=True)
        for result in results:
            if isinstance(result, Abandoned):
                raise result

    async def _account(self, account: str) -> Account | None:
        held = self._accounts.held(account)
        if isinstance(held, Unknown):
            return await self._patience.ask("directory", lambda: self._accounts.load(account))
        return held

    async def _script(self, account: str) -> Script:
        held = self._scripts.held(account)
        if isinstance(held, Unknown):
            return await self._patience.ask("mailstore", lambda: self._scripts.load(account))
        return held

    # --- deciding

    async def _decide(self, owed: Iterable[Owed]) -> Piece:
        now = self._clock.now()
        decided: Piece = []
        for one in owed:
            try:
                decided.append((one, await self._decide_one(one, now)))
            except Abandoned:
                raise
            except Exception as error:
                log.exception("delivery failed", mail_id=one.at_hand.mail.mail_id, n=one.obligation.n)
                await self._blame([one], f"{type(error).__name__} in delivery")
        return decided

    async def _decide_one(self, one: Owed, now: float) -> Proposal:
        account_id = one.account
        account = self._accounts.held(account_id)
        if isinstance(account, Unknown):
            account = await self._account(account_id)
        script = self._scripts.held(account_id)
        if isinstance(script, Unknown):
            script = await self._script(account_id)
        while True:
            outcome = decide(one.at_hand, one.obligation, account, script, self._site, now, one.answers)
            if isinstance(outcome, Proposal):
                if outcome.fault:
                    log.warning(
                        "script failed", mail_id=outcome.mail_id, n=outcome.n, account=account_id, fault=outcome.fault
                    )
                return outcome
            one.answers[outcome] = await self._mailbox_exists(account_id, outcome.mailbox)

    async def _mailbox_exists(self, account: str, mailbox: str) -> bool:
        return await self._patience.ask("mailstore", lambda: self._mailstore.mailbox_exists(account, mailbox))

    # --- settling

    async def _send(self, decided: Piece, accepted: bytes | None) -> set[tuple[str, int]]:
        """Returns the keys that are stale."""
        stale: set[tuple[str, int]] = set()
        for piece in pieces(decided):
            try:
                stale |= await self._request(accepted or batch_of(piece), piece)
            except BusError as error:
                log.warning("settling refused", error=str(error), obligations=len(piece))
                stale |= await self._send_apart(piece)
        return stale

    async def _send_apart(self, piece: Piece) -> set[tuple[str, int]]:
        """The mailstore refuses this request as a whole: mail by mail it shows which is to blame."""
        stale: set[tuple[str, int]] = set()
        by_mail: dict[int, Piece] = {}
        for one, proposal in piece:
            by_mail.setdefault(id(one.at_hand), []).append((one, proposal))
        for of_mail in by_mail.values():
            try:
                stale |= await self._request(batch_of(of_mail), of_mail)
            except BusError as error:
                await self._blame([one for one, _ in of_mail], f"settling refused: {error}")
        return stale

    async def _request(self, accepted: bytes, piece: Piece) -> set[tuple[str, int]]:
        """Raises BusError when it is refused."""
        request = settle_request(accepted, [proposal.text() for _, proposal in piece])
        steps = begun(piece) if tracing.door is not None else []
        traces = tracing.header_of(steps)
        stale = await self._patience.ask("mailstore", lambda: self._mailstore.settle(request, traces))
        for step, (_, proposal) in zip(steps, piece, strict=False):
            if step is not None:
                step.end(n=proposal.n, outcome=proposal.outcome)
        _batch_sizes.observe(len(piece))
        keys = {(settled.mail_id, settled.n) for settled in stale}
        outcomes = Counter([p.outcome for _, p in piece if not keys or (p.mail_id, p.n) not in keys])
        for outcome, number in outcomes.items():
            _by_outcome[outcome].inc(number)
        now = self._clock.now()
        for one, _ in piece:
            _delivered.observe(now - one.at_hand.mail.at / 1000)
        return keys

    # --- failures

    async def _blame(self, owed: list[Owed], error: str) -> None:
        """Count a failure of these; hold those that failed too often, let the others come again."""
        _failures.inc(len(owed))
        counts = await self._count(owed, error)
        hopeless = [one for one, count in zip(owed, counts, strict=True) if count >= MAX_ATTEMPTS]
        for one, count in zip(owed, counts, strict=True):
            if count < MAX_ATTEMPTS:
                one.parcel.retry = True
        if hopeless:
            await self._hold(hopeless, error)

    async def _count(self, owed: list[Owed], error: str) -> list[int]:
        keys = [one.key for one in owed]
        try:
            return await self._patience.ask("mailstore", lambda: self._mailstore.count_attempts(keys, error))
        except BusError as refusal:
            log.warning("attempt not counted", error=str(refusal))
            return [0] * len(owed)

    async def _hold(self, owed: list[Owed], reason: str) -> None:
        piece = [(one, held(one.at_hand.mail.mail_id, one.obligation, reason)) for one in owed]
        for one in owed:
            log.error("held", mail_id=one.at_hand.mail.mail_id, n=one.obligation.n, reason=reason)
        try:
            await self._request(batch_of(piece), piece)
        except BusError as error:
            log.exception("holding refused", error=str(error))
            for one in owed:
                one.parcel.retry = True
