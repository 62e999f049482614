"""Forgets what has had its time, in the background: outcomes, expunged UIDs, vacation memory, children given up, keys
of COPY, accounts that are gone.

**When an outcome may go.** A mail whose outcome is forgotten looks owed to whoever still names it, and would be
delivered again. So a row of the ledger goes only when nobody can:

- no pack that isn't closed names the mail: those are read at each round, and closed ones are never scanned again
  (the database says so too, in case a marker is lost);
- no child that waits for the journal, and no held mail, has its name. They are asked for before the packs are read: a
  child that left the outbox in between stands in a pack then;
- no event of it is on the bus: outcomes are kept for longer than the bus keeps events (MAX_AGE).

**Accounts that are gone** keep their mail for a grace, so that a directory that was lost or restored can be put right.
Before the mail goes, the directory is asked once more. Packs die by themselves, when nothing refers to them.
"""

import asyncio
from collections.abc import Awaitable, Callable

from barid_contracts.directory import ACCOUNT_GET, AccountLookup
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.journal.port import JournalError
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..ports.packs import Packs
from ..ports.retention import Mark, Slice
from ..ports.store import Store
from ..settings import Settings
from .telling import Teller

FIRST_SECONDS = 900.0
"""From a start to the first round: children and mails that the process before us had in hand have come to rest."""

PAUSE = 0.05
"""Seconds between two slices: forgetting takes at most a tenth of the writer's time."""

LEASE_ROUNDS = 1.5
"""How long a replica that died keeps this duty: nothing of it is urgent."""

DAY = 86_400.0

COPIES_SECONDS = 3_600.0
"""That the outcome of a COPY is kept under its key: who asks again gives up after minutes (policy/deadlines of mss)."""

log = get_logger("mailstore.retention")


class Forgotten:
    """Meters, bound once."""

    def __init__(self, metrics: Metrics) -> None:
        rows = metrics.counter("forgotten", "Rows deleted after their time", ["what"])
        self.rows = {what: rows.labels(what) for what in ("outcomes", "tombstones", "vacations", "children", "copies")}
        self.accounts = metrics.counter("accounts_removed", "Accounts whose mail was deleted after they were gone")


class Retention:
    def __init__(
        self, store: Store, packs: Packs, bus: Bus, clock: Clock, teller: Teller, meters: Forgotten, settings: Settings
    ) -> None:
        self._store = store
        self._packs = packs
        self._bus = bus
        self._clock = clock
        self._teller = teller
        self._meters = meters
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mailstore-retention")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await self._clock.sleep(FIRST_SECONDS)
        while True:
            if await self._is_ours():
                await self.round()
            await self._clock.sleep(self._settings.retention_seconds)

    async def _is_ours(self) -> bool:
        try:
            return await self._store.duties.mine("retention", LEASE_ROUNDS * self._settings.retention_seconds)
        except DatabaseError as error:
            log.warning("database", error=str(error))
            return False

    async def round(self) -> None:
        """Forget all that may be forgotten now. What fails is tried again in the next round."""
        for step in (self._vacations, self._children, self._copies, self._tombstones, self._accounts, self._outcomes):
            try:
                await step()
            except (BusError, DatabaseError, JournalError, OSError) as error:
                log.warning("not forgotten yet", step=step.__name__, reason=f"{type(error).__name__}: {error}")
            except Exception:
                # Disk space is all that is lost by it; the other steps go on.
                log.exception("forgetting failed", step=step.__name__)

    async def _slices(self, what: str, forget: Callable[[Mark], Awaitable[Slice]]) -> None:
        mark: Mark | None = ()
        deleted = 0
        while mark is not None:
            done = await forget(mark)
            mark = done.next
            if done.deleted:
                deleted += done.deleted
                self._meters.rows[what].inc(done.deleted)
                await self._clock.sleep(PAUSE)
        if deleted:
            log.info("forgotten", what=what, rows=deleted)

    async def _vacations(self) -> None:
        now = self._clock.now()
        await self._slices("vacations", lambda mark: self._store.retention.vacations(mark, now))

    async def _children(self) -> None:
        before = self._clock.now() - self._settings.ledger_days * DAY
        await self._slices("children", lambda mark: self._store.retention.children(mark, before))

    async def _copies(self) -> None:
        before = self._clock.now() - COPIES_SECONDS
        await self._slices("copies", lambda mark: self._store.retention.copies(mark, before))

    async def _tombstones(self) -> None:
        before = self._clock.now() - self._settings.tombstone_days * DAY
        await self._slices("tombstones", lambda mark: self._store.retention.tombstones(mark, before))

    async def _outcomes(self) -> None:
        retention = self._store.retention
        before = self._clock.now() - self._settings.ledger_days * DAY
        kept = await retention.on_their_way()
        kept |= await self._packs.named(before)
        await self._slices("outcomes", lambda mark: retention.ledger(mark, before, kept))

    async def _accounts(self) -> None:
        before = self._clock.now() - self._settings.account_grace_days * DAY
        accounts = self._store.accounts
        while leaving := await accounts.gone_before(before):
            removed = 0
            for account in leaving:
                if await self._still_gone(account) and await self._teller.tell(await accounts.remove(account)):
                    removed += 1
                    self._meters.accounts.inc()
                    log.warning("mail of a gone account deleted", account=account)
                await self._clock.sleep(PAUSE)
            if not removed:
                return

    async def _still_gone(self, account: str) -> bool:
        """Raises BusError if the directory can't be asked."""
        try:
            record = await call(self._bus, ACCOUNT_GET, AccountLookup(id=account))
        except OperationFailed as failed:
            if failed.code == "not_found":
                return True
            raise
        log.warning("account is back", account=account)
        await self._teller.tell(await self._store.quotas.set_limit(account, record.quota))
        return False
