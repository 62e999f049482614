"""Where addresses lead: the directory's answers, remembered.

- An answer is fresh for FRESH seconds, or until the directory says that it changed.
- An address that was found is *known*: while the directory can't answer, known recipients are taken as they were. So
  what is stale is kept, and only ever used in that case. Known recipients outlive the process (`KnownStore`).
- That nobody has an address is remembered only briefly, and apart: guessing at names pushes out nothing that is known.
- Anybody may make up details (`user+anything`), so of one base address only the latest MAX_DETAILS are known. The names
  of a catch-all domain can't be told from aliases, and are not limited: there a guesser can push out what is known,
  which costs a question each, and a 451 while the directory is away.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from barid_contracts.directory import RESOLVE, DirectoryChanged, ResolveRequest
from barid_runtime.bus.port import Bus, BusError, DeadlineExceeded
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger

from ..policy.addresses import without_detail
from ..policy.recipients import Status
from ..ports import KnownStore, Lead, Leads
from . import measures

FRESH = 300.0
"""Seconds. Changes are announced, so this only bounds what a lost announcement costs."""

FRESH_OTHER = 30.0
"""Seconds that `unknown` and `remote` are believed: enough for a burst, short enough for a new account."""

MAX_OTHER = 10_000

MAX_DETAILS = 8
"""Of one base address: a person's lists and shops write again within the minutes of an outage, or try again later."""

DEADLINE = 3.0
"""Seconds for the directory: a sender waits for known recipients, too, while it hangs."""

DOWN = 2.0
"""Seconds after a timeout in which a known recipient is not worth another."""

SAVE_EVERY = 5.0

log = get_logger("smtp_ingress.recipients")


@dataclass(slots=True)
class Found:
    """status: local, remote, unknown, loop. until: epoch seconds that it is fresh for."""

    status: Status
    leads: Leads
    until: float


class Recipients:
    def __init__(self, bus: Bus, clock: Clock, store: KnownStore, *, most: int) -> None:
        self._bus = bus
        self._clock = clock
        self._store = store
        self._most = most
        self._known: OrderedDict[str, Found] = OrderedDict()
        self._details: dict[str, OrderedDict[str, None]] = {}
        self._other: OrderedDict[str, Found] = OrderedDict()
        self._changes = 0
        self._down_until = 0.0
        self._unsaved = False

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> Found | None:
        """What is fresh, at once."""
        found = self._known.get(key) or self._other.get(key)
        return found if found is not None and self._clock.now() < found.until else None

    async def resolve(self, keys: Sequence[str], addresses: Sequence[str]) -> list[Found | None]:
        """One answer a key, None where the directory can't tell and nobody is known by it. `addresses` are what the
        keys were made from: the directory gets to see the client's letters."""
        found = [self.find(key) for key in keys]
        missing = [at for at, each in enumerate(found) if each is None]
        if not missing:
            return found
        now = self._clock.now()
        if now < self._down_until and all(keys[at] in self._known for at in missing):
            asked = None
        else:
            asked = await self._ask([keys[at] for at in missing], [addresses[at] for at in missing])
        for place, at in enumerate(missing):
            found[at] = self._known.get(keys[at]) if asked is None else asked[place]
        return found

    async def _ask(self, keys: Sequence[str], addresses: Sequence[str]) -> list[Found] | None:
        changes = self._changes
        try:
            reply = await call(self._bus, RESOLVE, ResolveRequest(addresses=list(addresses)), timeout=DEADLINE)
        except BusError as error:
            if isinstance(error, DeadlineExceeded):
                self._down_until = self._clock.now() + DOWN
            log.warning("directory does not answer", error=str(error), recipients=len(keys))
            return None
        except ValueError as error:
            log.warning("directory's answer is not understood", error=str(error))
            return None
        if len(reply.resolutions) != len(keys):
            log.error("directory answered another question", asked=len(keys), answered=len(reply.resolutions))
            return None
        self._down_until = 0.0
        now = self._clock.now()
        # What was announced while we asked may be newer than the answer: used now, but not believed later.
        fresh = changes == self._changes
        answers: list[Found] = []
        for key, resolution in zip(keys, reply.resolutions, strict=True):
            leads = tuple([Lead(t.kind, t.address, t.account, t.detail) for t in resolution.targets])
            local = resolution.status == "local"
            found = Found(resolution.status, leads, now + (FRESH if local else FRESH_OTHER) if fresh else 0.0)
            self._remember(key, found)
            answers.append(found)
        return answers

    def _remember(self, key: str, found: Found) -> None:
        if found.status == "local":
            old = self._known.get(key)
            if old is None or old.leads != found.leads:
                self._unsaved = True
            self._put(key, found)
            self._other.pop(key, None)
            return
        self._forget(key)
        self._other[key] = found
        self._other.move_to_end(key)
        if len(self._other) > MAX_OTHER:
            self._other.popitem(last=False)

    def _put(self, key: str, found: Found) -> None:
        self._known[key] = found
        self._known.move_to_end(key)
        base = without_detail(key)
        if base != key:
            details = self._details.setdefault(base, OrderedDict())
            details[key] = None
            details.move_to_end(key)
            if len(details) > MAX_DETAILS:
                self._forget(next(iter(details)))
        if len(self._known) > self._most:
            self._forget(next(iter(self._known)))

    def _forget(self, key: str) -> None:
        if self._known.pop(key, None) is None:
            return
        self._unsaved = True
        base = without_detail(key)
        if base != key and (keys := self._details.get(base)) is not None:
            keys.pop(key, None)
            if not keys:
                del self._details[base]

    # News.

    def on_change(self, change: DirectoryChanged) -> None:
        if change.everything:
            self.doubt()
            return
        self._changes += 1
        for address in change.addresses:
            for key in (address, *self._details.get(address, ())):
                if (found := self._known.get(key)) is not None:
                    found.until = 0.0
        # These are few and live for seconds; which of them an address touches (catch-alls) is not worth knowing.
        self._other.clear()

    def doubt(self) -> None:
        """Announcements may have been missed: nothing is fresh, all is still known."""
        self._changes += 1
        self._other.clear()
        for found in self._known.values():
            found.until = 0.0

    # Over the life of the process.

    async def load(self) -> None:
        for key, leads in await self._store.load(self._most):
            self._put(key, Found("local", leads, 0.0))
        self._unsaved = False
        measures.known.set(len(self._known))

    async def save(self) -> None:
        """If something changed. Never raises: it is a cache."""
        if not self._unsaved:
            return
        self._unsaved = False
        measures.known.set(len(self._known))
        try:
            await self._store.save([(key, found.leads) for key, found in self._known.items()])
        except OSError as error:
            self._unsaved = True
            log.warning("known recipients not saved", error=error.strerror)

    async def keep_saved(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await self.save()
