"""The service: opens the doors, takes work, ends in order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_STREAM
from barid_runtime.bus.port import Bus, Stream
from barid_runtime.bus.watching import Watching
from barid_runtime.clock import Clock

from ..policy.delivery import Site
from ..ports import Accounts, Mailstore, Scripts
from .consumer import ACK_WAIT, Consuming
from .patience import Patience
from .settling import Settling

DURABLE = "mda"
"""The consumer's name on the bus: all instances share its work."""

STREAM = Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",))


@dataclass(frozen=True, slots=True)
class Doors:
    """Opened by `open_doors`, in the order of need."""

    bus: Bus
    accounts: Accounts
    scripts: Scripts
    mailstore: Mailstore


class MdaService:
    """Implements barid_runtime.service.Service."""

    name = "mda"

    def __init__(
        self,
        *,
        open_doors: Callable[[], Awaitable[Doors]],
        clock: Clock,
        site: Site,
        batches: int,
        gather: float,
    ) -> None:
        """gather: seconds; batches: see settings."""
        self._open_doors = open_doors
        self._clock = clock
        self._site = site
        self._batches = batches
        self._gather = gather
        self._patience = Patience(clock)
        self._bus: Bus | None = None
        self._consuming: Consuming | None = None
        self._watching: Watching | None = None

    async def start(self) -> None:
        try:
            await self._open()
        except BaseException:
            await self.drain()
            raise

    async def drain(self) -> None:
        consuming, self._consuming = self._consuming, None
        if consuming is not None:
            await consuming.drain()
        watching, self._watching = self._watching, None
        if watching is not None:
            await watching.close()
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.close()

    @property
    def bus(self) -> Bus | None:
        return self._bus

    def checks(self) -> dict[str, str]:
        faults = self._patience.faults
        return {
            "bus": "ok" if self._bus is not None and self._bus.connected else "not connected",
            "mailstore": faults.get("mailstore", "ok"),
            "directory": faults.get("directory", "ok"),
        }

    def ports(self) -> dict[str, int]:
        return {}

    async def _open(self) -> None:
        doors = await self._open_doors()
        self._bus = bus = doors.bus
        await bus.ensure_stream(STREAM)
        consumer = await bus.consumer(STREAM.name, durable=DURABLE, subject=ACCEPTED_LOCAL.subject, ack_wait=ACK_WAIT)
        self._patience = Patience(self._clock)
        settling = Settling(doors.accounts, doors.scripts, doors.mailstore, self._patience, self._clock, self._site)
        self._consuming = Consuming(
            consumer, settling, self._patience, self._clock, batches=self._batches, gather=self._gather
        )
        self._consuming.start()
        self._watching = Watching(bus, STREAM.name, DURABLE)
        self._watching.start()
