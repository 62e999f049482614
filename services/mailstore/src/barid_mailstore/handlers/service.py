"""The mailstore: opens its doors, answers, reconciles, drains."""

import asyncio

from barid_contracts.status import Findings
from barid_runtime.bus.port import Bus
from barid_runtime.database.port import DatabaseError
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..ports.doors import Doors, OpenDoors
from ..ports.store import Store
from ..settings import Settings
from .limits import Limits
from .mailboxes import MailboxHandlers
from .messages import MessageHandlers
from .reconciler import Reconciler
from .retention import Forgotten, Retention
from .scripts import ScriptHandlers
from .serving import Serving
from .settling import Meters, SettlingHandlers
from .sweeper import Sweeper
from .telling import Teller
from .tracing import TraceHandlers

GIVE_UP_SECONDS = 1.0
"""Of a drain, if the database is away."""

log = get_logger("mailstore")


class Mailstore:
    """The service."""

    name = "mailstore"

    def __init__(self, settings: Settings, open_doors: OpenDoors, metrics: Metrics) -> None:
        self._settings = settings
        self._open_doors = open_doors
        self._meters = Meters(metrics)
        self._forgotten = Forgotten(metrics)
        self.doors: Doors | None = None
        self._serving: Serving | None = None
        self._limits: Limits | None = None
        self._sweeper: Sweeper | None = None
        self.reconciler: Reconciler | None = None
        self.retention: Retention | None = None

    async def start(self) -> None:
        doors = self.doors = await self._open_doors()
        try:
            await self._serve(doors)
        except BaseException:
            await self.drain()
            raise

    async def _serve(self, doors: Doors) -> None:
        bus, store, clock = doors.bus, doors.store, doors.clock
        limits = self._limits = Limits(store, bus, clock)
        sweeper = self._sweeper = Sweeper(store, clock)
        teller = limits.teller = Teller(bus, limits.learn, doors.outbox.notify, sweeper.notify)
        serving = self._serving = Serving(bus)
        for handlers in (
            SettlingHandlers(store, doors.packs, bus, teller, self._meters),
            MailboxHandlers(store, teller),
            MessageHandlers(store, teller),
            ScriptHandlers(store, teller),
            TraceHandlers(store, doors.packs, bus, clock),
            limits,
        ):
            await handlers.serve(serving)
        await teller.started()
        sweeper.start()
        self.reconciler = Reconciler(store, doors.packs, bus, clock, teller, self._meters, self._settings)
        self.reconciler.start()
        self.retention = Retention(store, doors.packs, bus, clock, teller, self._forgotten, self._settings)
        self.retention.start()

    async def drain(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.drain()
        for part in (self.retention, self.reconciler, self._sweeper, self._limits):
            if part is not None:
                await part.close()
        self.retention = self.reconciler = self._sweeper = self._limits = None
        doors, self.doors = self.doors, None
        if doors is not None:
            await self._give_up_duties(doors.store)
            await doors.close()

    @staticmethod
    async def _give_up_duties(store: Store) -> None:
        """A courtesy to the other replicas: they need not wait until our time is over."""
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await store.duties.give_up()
        except (DatabaseError, TimeoutError) as error:
            log.warning("duties kept", reason=str(error) or "in time")

    @property
    def bus(self) -> Bus | None:
        return None if self.doors is None else self.doors.bus

    def checks(self) -> dict[str, str]:
        if self.doors is None:
            return {"mailstore": "not started"}
        return self.doors.problems()

    async def inspect(self) -> Findings:
        """For the roll call."""
        return Findings() if self.doors is None else await self.doors.inspect()

    def ports(self) -> dict[str, int]:
        return {}
