"""From the bus into the queue: rows first, durably, then the acknowledgement; delivery is another matter.

An event that can't be read is dropped with an error in the log: the journal has the mail, and the reconciler publishes
again what neither queue nor ledger knows.

A ghost is dropped too: the copy of an event that lay on the bus until the ledger had forgotten its mail. Its pack is
closed or gone, so every obligation of the mail has had its outcome (`barid_runtime.journal.lifecycle`).

After a restore from a backup, mail that was accepted before it and that the backup does not know is held: nobody here
knows whether it was sent (`adapters.tables.restored`). Its name tells, as a child's has its parent's time. Notices that
we ourselves have made since are sent: somebody has just decided on the mail that they are about.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

from pydantic import ValidationError

from barid_contracts.mail import Accepted
from barid_runtime import tracing
from barid_runtime.bus.port import BusError, Consumer, Delivery
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.ids import time_prefix
from barid_runtime.logging import get_logger

from ..policy.addresses import domain_of
from ..policy.routing import Routing
from ..ports.queue import NewMail, NewRecipient, Queue
from . import steps
from .meters import Meters

FETCH = 16
"""Messages taken at once, for one transaction: each is a batch of up to some hundred mails and 700 KB, of which several
times as much is made while they are read."""

FETCH_WAIT = 5.0
"""Seconds that one fetch may find nothing."""

_PAUSES = (0.2, 10.0)
"""Seconds of the first and the longest wait while bus or database are down."""

log = get_logger("relay.intake")


class Intake:
    """Runs from `start` to `close`. arrived: told which destinations have new rows. packs_open: those of the named
    packs that aren't closed. memory: seconds that the ledger keeps a mail for certain."""

    def __init__(
        self,
        consumer: Consumer,
        queue: Queue,
        routing: Routing,
        clock: Clock,
        meters: Meters,
        arrived: Callable[[Iterable[str]], None],
        packs_open: Callable[[Collection[str]], Awaitable[set[str]]],
        memory: float,
    ) -> None:
        self._consumer = consumer
        self._queue = queue
        self._routing = routing
        self._clock = clock
        self._meters = meters
        self._arrived = arrived
        self._packs_open = packs_open
        self._memory = memory
        self._task: asyncio.Task[None] | None = None
        self._taking: asyncio.Task[None] | None = None
        self._certain_from: str | None = None
        self.problem = "ok"

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relay-intake")

    async def close(self) -> None:
        """What was fetched is finished: left unanswered it would come again only after its ack wait."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._taking is not None:
            await asyncio.gather(self._taking, return_exceptions=True)

    async def _run(self) -> None:
        pause, longest = _PAUSES
        while True:
            taken: list[Delivery] = []
            try:
                taken = await self._consumer.fetch(FETCH, FETCH_WAIT)
                if taken:
                    self._taking = asyncio.get_running_loop().create_task(self._take(taken))
                    await asyncio.shield(self._taking)
                self.problem = "ok"
                pause = _PAUSES[0]
            except (BusError, DatabaseError) as error:
                if isinstance(error, DatabaseError):
                    self.problem = str(error)
                log.warning("waiting", reason=f"{type(error).__name__}: {error}", seconds=pause)
                await self._give_back(taken, pause)
                await self._clock.sleep(pause)
                pause = min(2 * pause, longest)
            except Exception:
                # Not ending: all mail for other domains comes this way.
                log.exception("intake failed")
                await self._give_back(taken, longest)
                await self._clock.sleep(longest)

    async def _take(self, taken: list[Delivery]) -> None:
        if self._certain_from is None:
            restored = await self._queue.restored_at()
            self._certain_from = time_prefix(restored) if restored else ""
        mails = [mail for delivery in taken for mail in self._mails(delivery.payload)]
        mails = await self._without_ghosts(mails)
        began = time.time_ns()
        added = await self._queue.enqueue(mails) if mails else 0
        if tracing.door is not None:
            steps.queued(mails, taken, began)
        for delivery in taken:
            await delivery.ack()
        self._meters.queued.inc(added)
        self._arrived({each.destination for mail in mails for each in mail.recipients})

    async def _without_ghosts(self, mails: list[NewMail]) -> list[NewMail]:
        before = int((self._clock.now() - self._memory) * 1000)
        old = {mail.ref.pack for mail in mails if mail.at < before}
        if not old:
            return mails
        settled = old - await self._packs_open(old)
        ghosts = {mail.mail_id for mail in mails if mail.at < before and mail.ref.pack in settled}
        if ghosts:
            log.warning("mails long settled", mail_ids=sorted(ghosts)[:10], mails=len(ghosts))
        return [mail for mail in mails if mail.mail_id not in ghosts]

    async def _give_back(self, taken: list[Delivery], delay: float) -> None:
        try:
            for delivery in taken:
                await delivery.nak(delay)
        except BusError:
            # Then they come again after their ack wait.
            return

    def _mails(self, payload: bytes) -> Iterable[NewMail]:
        """One that can't be read does not hinder its neighbours."""
        try:
            batch = json.loads(payload)["mails"]
            texts = list(batch)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            log.error("event unreadable", error=type(error).__name__, size=len(payload))  # noqa: TRY400
            return
        for text in texts:
            try:
                mail = Accepted.model_validate(text)
            except ValidationError as error:
                log.error("mail of an event unreadable", errors=error.error_count())  # noqa: TRY400
                continue
            if mail.ref is None:
                log.error("mail without reference", mail_id=mail.mail_id)
                continue
            if found := self._new_mail(mail):
                yield found

    def _new_mail(self, mail: Accepted) -> NewMail | None:
        assert mail.ref is not None
        recipients = []
        for each in mail.obligations:
            if each.kind == "remote":
                domain = domain_of(each.address)
                destination = self._routing.destination(domain)
                recipients.append(NewRecipient(each.n, each.address, each.original, domain, destination))
        if not recipients:
            return None
        return NewMail(
            mail_id=mail.mail_id,
            at=mail.at,
            ref=mail.ref,
            reverse_path=mail.reverse_path,
            trace=mail.trace,
            # A client may ask for SMTPUTF8 without need; the host is asked for it only if the header can't do without.
            smtputf8=mail.smtputf8 and (mail.headers_cut or not mail.headers.isascii()),
            subject=mail.subject,
            message_id=mail.message_id,
            parent=mail.parent,
            recipients=recipients,
            uncertain=mail.mail_id < (self._certain_from or "") and not self._is_fresh_notice(mail),
        )

    def _is_fresh_notice(self, mail: Accepted) -> bool:
        assert mail.ref is not None
        writer, _, incarnation = mail.ref.pack.partition("/")[0].partition(".")
        return mail.origin == "dsn" and writer == "relay" and incarnation >= (self._certain_from or "")
