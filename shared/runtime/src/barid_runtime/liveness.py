"""Every service says on the bus whether it is well. The runner starts this for each; a service only lends its bus.

Health ports say the same to whoever runs the process. This is for those who are elsewhere: operators ask one API.
"""

import asyncio
from typing import Protocol, runtime_checkable

from barid_contracts.base import Empty
from barid_contracts.status import ServiceStatus, status_of

from .bus.port import Bus, BusError
from .bus.typed import answer
from .service import Service

RETRY_SECONDS = 1.0
"""A service may work while the bus is away."""


@runtime_checkable
class OnBus(Protocol):
    """A service that has a connection of its own."""

    @property
    def bus(self) -> Bus | None:
        """None: not open now."""


async def answer_status(service: Service) -> None:
    """Returns when it is asked on the bus, which it is until the service closes its bus. One without a bus is not."""
    if not isinstance(service, OnBus):
        return

    async def tell(request: Empty) -> ServiceStatus:
        return ServiceStatus(checks=service.checks())

    while True:
        bus = service.bus
        if bus is not None:
            try:
                await answer(bus, status_of(service.name), tell, queue=service.name)
            except BusError:
                pass
            else:
                return
        await asyncio.sleep(RETRY_SECONDS)
