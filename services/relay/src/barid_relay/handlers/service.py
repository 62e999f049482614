"""The relay: opens its doors, takes mail, delivers what is due, answers, drains."""

from collections.abc import Callable

from barid_contracts.mail import ACCEPTED_REMOTE, ACCEPTED_STREAM
from barid_contracts.status import Findings
from barid_runtime.bus.port import Bus, Stream
from barid_runtime.bus.watching import Watching
from barid_runtime.logging import get_logger
from barid_runtime.metrics import Metrics

from ..policy.routing import Routing
from ..policy.schedule import Schedule
from ..ports.doors import Doors, OpenDoors
from ..settings import Settings
from .delivery import Line
from .desk import Desk
from .finding import Finder
from .intake import Intake
from .meters import Meters
from .retention import DAY, Retention
from .roll import Roll
from .scheduler import POLL, POLL_SHARED, Scheduler
from .sessions import Sessions
from .settling import Settling
from .worker import Worker

DURABLE = "relay"
"""The consumer's name on the bus: all instances share its work."""

ACK_WAIT = 5.0
"""Seconds that mail waits which a crash left unacknowledged. A batch is acknowledged after one transaction, so this is
ample; and if it is not, what comes again changes nothing."""

STREAM = Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",))

DRAIN_RESERVE = 3.0
"""Seconds of the time to drain that are left for the doors."""

log = get_logger("relay")


class Relay:
    """The service."""

    name = "relay"

    def __init__(self, settings: Settings, open_doors: OpenDoors, metrics: Metrics) -> None:
        self._settings = settings
        self._open_doors = open_doors
        self.meters = Meters(metrics)
        self._routing = Routing(settings)
        self._schedule = Schedule(settings.retry_first, settings.retry_most, settings.expire_after, settings.warn_after)
        self.doors: Doors | None = None
        self._sessions = Sessions()
        self._intake: Intake | None = None
        self._settling: Settling | None = None
        self._roll: Roll | None = None
        self._scheduler: Scheduler | None = None
        self._desk: Desk | None = None
        self._retention: Retention | None = None
        self._watching: Watching | None = None

    async def start(self) -> None:
        doors = self.doors = await self._open_doors()
        try:
            await self._serve(doors)
        except BaseException:
            await self.drain()
            raise

    async def _serve(self, doors: Doors) -> None:
        settings, bus, queue, clock = self._settings, doors.bus, doors.queue, doors.clock
        recovered = await queue.recover(self._routing.destination)
        if recovered:
            log.warning("leases of a process before us ended", recipients=recovered)

        def company_changed() -> None:
            # What somebody had in hand who is gone.
            scheduler.look()
            doors.outbox.notify()

        roll = self._roll = Roll(
            doors.replicas,
            company_changed,
            limit=settings.connections_per_destination,
            lease_seconds=settings.lease_seconds,
        )
        scheduler = self._scheduler = Scheduler(
            queue,
            clock,
            self.meters,
            workers=settings.connections,
            share=roll.share,
            poll=POLL if doors.replicas is None else POLL_SHARED,
        )
        await roll.start()
        settling = self._settling = Settling(
            queue,
            doors.bodies,
            doors.outbox,
            bus,
            clock,
            self._schedule,
            settings.hostname,
            self.meters,
            scheduler.expect,
        )
        self._desk = Desk(queue, settling, scheduler, clock, lease_seconds=settings.lease_seconds)
        await self._desk.serve(bus)
        await bus.ensure_stream(STREAM)
        consumer = await bus.consumer(STREAM.name, durable=DURABLE, subject=ACCEPTED_REMOTE.subject, ack_wait=ACK_WAIT)
        self._intake = Intake(
            consumer,
            queue,
            self._routing,
            clock,
            self.meters,
            scheduler.arrived,
            doors.packs_open,
            settings.ledger_days * DAY,
        )
        self._intake.start()
        self._watching = Watching(bus, STREAM.name, DURABLE)
        self._watching.start()
        self._retention = Retention(doors.memory, doors.packs_open, clock, self.meters, settings)
        self._retention.start()
        scheduler.start(self._worker_maker(doors, settling))

    def _worker_maker(
        self, doors: Doors, settling: Settling
    ) -> Callable[[str, Callable[[], None], Callable[[], bool]], Worker]:
        finder = Finder(doors.resolver, self._routing, doors.clock, doors.shuffle)

        def make(destination: str, more: Callable[[], None], yields: Callable[[], bool]) -> Worker:
            line = Line(destination, finder, doors.dialer, self._sessions, doors.bodies, self.meters)
            return Worker(
                destination,
                doors.queue,
                line,
                settling,
                doors.clock,
                lease_seconds=self._settings.lease_seconds,
                more=more,
                yields=yields,
            )

        return make

    async def drain(self) -> None:
        intake, self._intake = self._intake, None
        if intake is not None:
            await intake.close()
        watching, self._watching = self._watching, None
        if watching is not None:
            await watching.close()
        retention, self._retention = self._retention, None
        if retention is not None:
            await retention.close()
        desk, self._desk = self._desk, None
        if desk is not None:
            await desk.drain()
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            await scheduler.drain(max(self._settings.drain_seconds - DRAIN_RESERVE, 0.0))
        await self._sessions.close()
        roll, self._roll = self._roll, None
        if roll is not None:
            await roll.close()
        doors, self.doors = self.doors, None
        if doors is not None:
            await doors.close()

    @property
    def bus(self) -> Bus | None:
        return None if self.doors is None else self.doors.bus

    def checks(self) -> dict[str, str]:
        if self.doors is None:
            return {"relay": "not started"}
        parts = (self._roll, self._intake, self._scheduler, self._settling)
        database = next((part.problem for part in parts if part is not None and part.problem != "ok"), "ok")
        return {**self.doors.problems(), "database": database}

    async def inspect(self) -> Findings:
        """For the roll call."""
        return Findings() if self.doors is None else await self.doors.inspect()

    def ports(self) -> dict[str, int]:
        return {}
