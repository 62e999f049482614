"""The outbox pump: turns rows that a settling transaction left behind into mails of the journal.

A row holds a child (redirect, vacation, DSN) under a name of its own. The pump journals it under that name, then
deletes the row. A crash between the two journals it once more under the same name; every consumer is keyed by
`(mail_id, n)`, and the names of obligations come from the same recipients in the same order, so nothing is filed or
sent twice. (If the directory changed its mind in between, `n` may mean another of the child's recipients; a child has
one, nearly always.)
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barid_contracts.directory import RESOLVE, Resolution, ResolveRequest
from barid_contracts.mail import BodyRef, Obligation
from barid_protocols.mime.summary import SummaryScanner, summarize

from . import tracing
from .bus.port import Bus, BusError
from .bus.typed import call
from .clock import Clock
from .database.port import DatabaseError
from .journal.describe import describe
from .journal.port import (
    SPOOL_ABOVE,
    BodyCorrupt,
    BodyMissing,
    BodyReader,
    JournalError,
    JournalWriter,
    Spool,
)
from .logging import get_logger
from .metrics import Metrics

BATCH = 50
"""Rows journalled at a time: they share one sync."""

POLL = 30.0
"""Seconds between looks for rows that nobody told us of (those of the process before us, at start)."""

_BACKOFF = (0.5, 30.0)
"""Seconds of the first and the longest wait after a failure."""

log = get_logger("outbox")

_metrics = Metrics("outbox")
_journalled = _metrics.told("journalled", "Children (redirects, replies, notices) given to the journal", ["service"])
_oldest = _metrics.gauge("oldest_seconds", "How long the child that is next has been next", ["service"])


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A child to be journalled. body `same`: `prefix` and then the parent's body at `ref`; `own`: `content` alone."""

    mail_id: str
    kind: Literal["redirect", "vacation", "dsn"]
    reverse_path: str
    recipients: Sequence[str]
    body: Literal["same", "own"]
    prefix: str = ""
    content: bytes = b""
    ref: BodyRef | None = None
    parent: str | None = None


class OutboxStore(Protocol):
    """The table, in the database of the service that settles. Raises DatabaseError."""

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        """The oldest rows that were not given up."""

    async def delete(self, mail_ids: Sequence[str]) -> None: ...

    async def give_up(self, mail_id: str, reason: str) -> None:
        """This child can never be made (its parent's body is lost): keep the row for the operator, not for `due`."""


Resolve = Callable[[Sequence[str]], Awaitable[list[Obligation]]]
"""Recipients to obligations, numbered from 0. Raises BusError while it can't."""


class OutboxPump:
    """One per store. `notify` after a commit that inserted rows; it looks by itself every POLL seconds, too."""

    def __init__(
        self, store: OutboxStore, resolve: Resolve, journal: JournalWriter, bodies: BodyReader, clock: Clock
    ) -> None:
        self._store = store
        self._resolve = resolve
        self._journal = journal
        self._bodies = bodies
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._service = "outbox"
        self.journalled = 0
        self._oldest = ""
        self._oldest_since = 0.0

    def named(self, service: str) -> None:
        """Whose it is, for traces."""
        self._service = service

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest row has been the oldest: one that the journal does not take stays it. 0: none waits."""
        return max(0.0, self._clock.now() - self._oldest_since) if self._oldest else 0.0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="outbox")

    def notify(self) -> None:
        self._wake.set()

    async def close(self) -> None:
        """Rows not yet journalled stay for the next process."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def pump(self) -> int:
        """Journal and delete what is due now, one batch; returns how many rows went. Raises what the store raises,
        BusError and JournalError if none could be journalled."""
        rows = await self._store.due(BATCH)
        oldest = rows[0].mail_id if rows else ""
        if oldest != self._oldest:
            self._oldest, self._oldest_since = oldest, self._clock.now()
        outcomes = await asyncio.gather(*[self._journal_row(row) for row in rows], return_exceptions=True)
        done: list[str] = []
        failure: BaseException | None = None
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is None:
                done.append(row.mail_id)
            elif isinstance(outcome, (BodyMissing, BodyCorrupt)):
                log.error("outbox_body_lost", mail_id=row.mail_id, parent=row.parent, reason=str(outcome))
                await self._store.give_up(row.mail_id, str(outcome))
            else:
                failure = outcome
        if done:
            await self._store.delete(done)
            self.journalled += len(done)
        elif failure is not None:
            raise failure
        return len(done)

    async def _run(self) -> None:
        wait, longest = _BACKOFF
        while True:
            self._wake.clear()
            try:
                while await self.pump():
                    wait = _BACKOFF[0]
            except (BusError, JournalError, DatabaseError) as error:
                log.warning("outbox_waits", reason=f"{type(error).__name__}: {error}", seconds=wait)
                await self._clock.sleep(wait)
                wait = min(2 * wait, longest)
                continue
            except Exception:
                # A bug must not stop the children of everybody for ever.
                log.exception("outbox_failed")
                await self._clock.sleep(longest)
                continue
            await self._rest()

    async def _rest(self) -> None:
        waking = asyncio.ensure_future(self._wake.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(POLL))
        try:
            await asyncio.wait((waking, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            sleeping.cancel()

    async def _journal_row(self, row: OutboxRow) -> None:
        obligations = await self._resolve(row.recipients)
        body: bytes | Spool
        spool: Spool | None = None
        try:
            if row.body == "own":
                body, summary = row.content, summarize(row.content)
            else:
                if row.ref is None:
                    raise BodyMissing("the row does not say where its parent's body is")
                prefix = row.prefix.encode("latin-1")
                if len(prefix) + row.ref.size <= SPOOL_ABOVE:
                    body = prefix + await self._bodies.read(row.ref)
                    summary = summarize(body)
                else:
                    body = spool = self._journal.spool()
                    scanner = SummaryScanner()
                    scanner.feed(prefix)
                    await spool.write(prefix)
                    async for chunk in self._bodies.stream(row.ref):
                        scanner.feed(chunk)
                        await spool.write(chunk)
                    summary = scanner.finish()
            mail = describe(
                summary,
                mail_id=row.mail_id,
                at=int(self._clock.now() * 1000),
                reverse_path=row.reverse_path,
                obligations=obligations,
                parent=row.parent,
                origin=row.kind,
                smtputf8=not all(map(str.isascii, [row.reverse_path, *row.recipients])),
            )
            begun = time.time_ns()
            await self._journal.append(mail, body)
            if tracing.door is not None:
                own = tracing.acceptance_of(row.mail_id)
                step = tracing.door.begin(
                    self._service, "outbox.journal", row.mail_id, own=own, began=begun, link=row.parent
                )
                if step is not None:
                    step.end(kind=row.kind)
        finally:
            if spool is not None:
                await spool.discard()


def watch(pump: OutboxPump, service: str) -> None:
    """Its metrics are of this pump from now on."""
    pump.named(service)
    _journalled.by(service, value=lambda: pump.journalled)
    _oldest.labels(service).set_function(lambda: pump.oldest_seconds)


def directory_resolver(bus: Bus) -> Resolve:
    """Asks the directory. An address of ours that leads nowhere becomes a remote obligation: the relay's attempt ends
    in our own refusal, and in a bounce to whoever sent it."""

    async def resolve(recipients: Sequence[str]) -> list[Obligation]:
        reply = await call(bus, RESOLVE, ResolveRequest(addresses=list(recipients)))
        return obligations_of(reply.resolutions)

    return resolve


def obligations_of(resolutions: Sequence[Resolution]) -> list[Obligation]:
    """One obligation per account and per remote address, in the order of the recipients; two ways to the same end are
    one."""
    obligations: list[Obligation] = []
    seen: set[tuple[str, str]] = set()

    def owe(kind: Literal["account", "remote"], key: str, address: str, original: str, **more: str | None) -> None:
        if (kind, key) not in seen:
            seen.add((kind, key))
            obligations.append(Obligation(n=len(obligations), kind=kind, address=address, original=original, **more))

    for resolution in resolutions:
        address = resolution.address
        if resolution.status != "local":
            owe("remote", address, address, address)
        for target in resolution.targets:
            if target.kind == "account" and target.account is not None:
                owe("account", target.account, target.address, address, account=target.account, detail=target.detail)
            else:
                owe("remote", target.address, target.address, address)
    return obligations
