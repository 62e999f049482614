"""The reconciler: finds what is still owed, at start and continuously, and gives it to delivery again.

The journal says what was accepted, the ledgers say what became of it; the bus is only the way in between, and may be
lost whole. Everything that it published again is idempotent by `(mail_id, n)`.

When it looks: sealed packs at every round, by their footers. Packs that are being written are walked record by record,
which costs 10 µs a mail, so only when the bus may have lost something: at start, after a lost connection, and every
OPEN_EVERY rounds.

What it takes for owed: an obligation without an outcome, of a mail older than the grace. While delivery is at work
that is not enough, for mail may stand in a long line: then only what is older than PATIENCE counts, unless the bus may
have lost something.
"""

import asyncio
from collections.abc import Sequence

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, ACCEPTED_STREAM, Key
from barid_contracts.settle import RELAY_MISSING, RELAY_REFERENCES, MissingRequest, ReferencesRequest
from barid_runtime.bus.port import Bus, BusError, Stream
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.database.port import DatabaseError
from barid_runtime.journal.port import JournalError
from barid_runtime.logging import get_logger

from ..policy.timeline import time_of
from ..ports.packs import Damaged, PackEntry, Packs, PackState
from ..ports.store import Store
from ..settings import Settings
from .settling import Meters, publish_again
from .telling import Teller

OPEN_EVERY = 10
"""Rounds between two walks over packs that are being written."""

PATIENCE = 600.0
"""Seconds that a mail may stand in line while delivery is at work, and between the first two times that it is
published again; doubled each time. A delivery that is away for an hour then finds three copies, not a hundred."""

MOST_PATIENCE = 6 * 3600.0

COLLECT_EVERY = 20
"""Rounds between two deletions of what nothing needs: each looks at all packs, and space is not needed at once."""

LEASE_ROUNDS = 2.5
"""How long a replica that says nothing keeps this duty: it may miss one round, and its death costs two."""

RETRY_SECONDS = 3.0
"""After a round that failed: at a start of everything, the relay may answer a little later than we do."""

MOST_KEYS = 2_000
"""Keys of one question: 100 KB."""

MOST_AGAIN = 2_000
"""Mails of one pack published again in one round; the rest follow when these have their outcome."""

Owed = dict[str, list[int]]
"""mail_id → the numbers of its obligations without an outcome."""

log = get_logger("mailstore.reconciler")


class Reconciler:
    def __init__(
        self, store: Store, packs: Packs, bus: Bus, clock: Clock, teller: Teller, meters: Meters, settings: Settings
    ) -> None:
        self._store = store
        self._packs = packs
        self._bus = bus
        self._clock = clock
        self._teller = teller
        self._meters = meters
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self._suspicious = True
        self._rounds = 0
        self._settled_before = 0
        self._wake = asyncio.Event()
        # (subject, mail_id) → when it was published again, and how often. It ends with the mail's outcome or with us.
        self._tries: dict[tuple[str, str], tuple[float, int]] = {}
        self._damaged: set[str] = set()
        self.problem = "ok"
        self.suspicious_grace = settings.reconcile_grace_at_start
        """Seconds that a mail may be under way when the bus may have lost something."""
        self.collect_every = COLLECT_EVERY
        bus.on_reconnect(self._on_reconnect)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mailstore-reconciler")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def suspect(self) -> None:
        """The bus may have lost something: look at everything."""
        self._suspicious = True

    async def _on_reconnect(self) -> None:
        self.suspect()
        self._wake.set()

    async def _run(self) -> None:
        await self._clock.sleep(self._settings.reconcile_grace_at_start)
        while True:
            self._wake.clear()
            pause = RETRY_SECONDS
            try:
                pause = self._settings.reconcile_seconds
                # Replicas without it stay suspicious: one of them begins by looking at everything.
                if await self._store.duties.mine("reconciler", LEASE_ROUNDS * pause):
                    pause = RETRY_SECONDS
                    await self.round()
                    pause = self._settings.reconcile_seconds
                    self._meters.reconciled.set(self._clock.now())
                else:
                    self._meters.unclosed.set(0)
                self._meters.held.set(await self._store.held.count())
                self.problem = "ok"
            except (BusError, DatabaseError, JournalError, OSError) as error:
                self.problem = f"{type(error).__name__}: {error}"
                log.warning("reconciling failed", reason=self.problem)
            except Exception:
                # It must never stop looking: it is what makes losses good.
                log.exception("reconciling failed")
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
            if waking.done():
                # What the bus lost was under way, and publishers send again by themselves what it didn't acknowledge.
                await self._clock.sleep(self._settings.reconcile_grace_at_start)
        finally:
            sleeping.cancel()
            waking.cancel()

    # --- one round

    async def round(self) -> None:
        """Look once at all packs that aren't closed, then delete what nothing needs."""
        suspicious, self._suspicious = self._suspicious, False
        working = self._meters.settled_total != self._settled_before
        self._settled_before = self._meters.settled_total
        look_at_open = suspicious or self._rounds % OPEN_EVERY == 0
        if suspicious:
            grace = self.suspicious_grace
        else:
            grace = max(self._settings.reconcile_grace, PATIENCE if working else 0.0)
        before = int((self._clock.now() - grace) * 1000)
        try:
            await self._bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
            wait = self._settings.reconcile_grace if suspicious else None
            await self._release_again(before, wait)
            failures: list[Exception] = []
            states = await self._packs.states()
            self._meters.unclosed.set(len(states))
            for pack in states:
                if pack.sealed or look_at_open:
                    try:
                        await self._look_at(pack, before, wait)
                    except (BusError, JournalError, OSError) as error:
                        # One damaged pack, or a relay that is away, is no reason to leave others' mail undelivered.
                        failures.append(error)
            if failures:
                raise failures[0]
            if self._rounds % self.collect_every == 0:
                await self._collect()
            self._rounds += 1
        except BaseException:
            self._suspicious = suspicious
            raise

    async def _look_at(self, pack: PackState, before: int, wait: float | None) -> None:
        if await self._store.bodies.is_closed(pack.name):
            log.warning("marker of a closed pack made again", pack=pack.name)
            await self._packs.close(pack.name)
            return
        entries = await self._packs.entries(pack.name)
        old = [entry for entry in entries if time_of(entry.mail_id) < before]
        local = await self._missing_local(entries)
        await self._again(pack.name, ACCEPTED_LOCAL.subject, old, local, wait)
        remote = await self._missing_remote(entries)
        await self._again(pack.name, ACCEPTED_REMOTE.subject, old, remote, wait)
        if pack.complete and not local and not remote:
            await self._store.bodies.closing(pack.name)
            await self._packs.close(pack.name)
            self._meters.closed.inc()
            for entry in entries:
                self._tries.pop((ACCEPTED_LOCAL.subject, entry.mail_id), None)
                self._tries.pop((ACCEPTED_REMOTE.subject, entry.mail_id), None)
            log.info("pack closed", pack=pack.name, mails=len(entries))

    async def _missing_local(self, entries: Sequence[PackEntry]) -> Owed:
        keys = [Key(mail_id=entry.mail_id, n=n) for entry in entries for n in entry.local]
        missing: Owed = {}
        for start in range(0, len(keys), MOST_KEYS):
            for key in await self._store.ledger.missing(keys[start : start + MOST_KEYS]):
                missing.setdefault(key.mail_id, []).append(key.n)
        return missing

    async def _missing_remote(self, entries: Sequence[PackEntry]) -> Owed:
        """Those that neither the relay knows, nor we, who hold what nobody can read. Raises BusError if the relay
        doesn't answer: nothing is closed then."""
        keys = [Key(mail_id=entry.mail_id, n=n) for entry in entries for n in entry.remote]
        missing: Owed = {}
        for start in range(0, len(keys), MOST_KEYS):
            reply = await call(self._bus, RELAY_MISSING, MissingRequest(keys=keys[start : start + MOST_KEYS]))
            for key in await self._store.ledger.missing(reply.keys) if reply.keys else ():
                missing.setdefault(key.mail_id, []).append(key.n)
        return missing

    async def _again(self, pack: str, subject: str, old: list[PackEntry], missing: Owed, wait: float | None) -> None:
        """wait: seconds since the last time, None for what its number of tries says."""
        now = self._clock.now()
        owed = [entry for entry in old if entry.mail_id in missing]
        due = [entry for entry in owed if now >= self._next_try(subject, entry.mail_id, wait)][:MOST_AGAIN]
        if not due:
            return
        self._meters.owed.inc(len(due))
        mails = await self._packs.load(pack, due)
        await publish_again(self._bus, subject, mails)
        sound = {mail.mail_id for mail in mails}
        for mail_id in sound:
            self._tried(subject, mail_id, now)
        if mails:
            self._meters.republished.inc(len(mails))
            log.warning("published again", pack=pack, subject=subject, mails=len(mails), owed=len(owed))
        if len(sound) < len(due):
            damaged = [entry for entry in due if entry.mail_id not in sound]
            await self._hold(pack, [Damaged(e.mail_id, e.offset, tuple(missing[e.mail_id])) for e in damaged])

    async def _hold(self, pack: str, records: list[Damaged]) -> None:
        """What can't be read twice, a round apart, ends as held: a disk may have failed to read it once only."""
        twice = [record for record in records if record.mail_id in self._damaged]
        for record in records:
            if record.mail_id not in self._damaged:
                self._damaged.add(record.mail_id)
                log.error("record damaged", pack=pack, mail_id=record.mail_id, offset=record.offset)
        if twice:
            held = await self._teller.tell(await self._store.held.hold_damaged(pack, twice))
            self._meters.damaged.inc(held)
            log.error("damaged records held", pack=pack, mails=[record.mail_id for record in twice])
            self._damaged.difference_update(record.mail_id for record in twice)

    def _next_try(self, subject: str, mail_id: str, wait: float | None) -> float:
        at, tries = self._tries.get((subject, mail_id), (0.0, 0))
        if not tries:
            return 0.0
        return at + (min(PATIENCE * 2 ** (tries - 1), MOST_PATIENCE) if wait is None else wait)

    async def _release_again(self, before: int, wait: float | None) -> None:
        """Held mails whose release was not followed by an outcome."""
        now = self._clock.now()
        subject = ACCEPTED_LOCAL.subject
        mails = [
            mail
            for mail in await self._store.held.released_before(before / 1000, MOST_AGAIN)
            if now >= self._next_try(subject, mail.mail_id, wait)
        ]
        await publish_again(self._bus, subject, mails)
        for mail in mails:
            self._tried(subject, mail.mail_id, now)

    def _tried(self, subject: str, mail_id: str, now: float) -> None:
        self._tries[(subject, mail_id)] = (now, self._tries.get((subject, mail_id), (0.0, 0))[1] + 1)

    async def _collect(self) -> None:
        gone = await self._packs.collect(self._referenced, self._settings.delete_grace)
        for name in gone:
            await self._store.bodies.forget(name)
            self._meters.deleted.inc()
            log.info("pack deleted", pack=name)

    async def _referenced(self, names: Sequence[str]) -> set[str]:
        own = set(await self._store.bodies.referenced(list(names)))
        rest = [name for name in names if name not in own]
        if not rest:
            return own
        reply = await call(self._bus, RELAY_REFERENCES, ReferencesRequest(packs=rest))
        return own | set(reply.packs)
