"""Every service says on the bus whether it is well, and every replica answers the roll call. The runner starts this for
each; a service only lends its bus.

Health ports say the same to whoever runs the process. This is for those who are elsewhere: operators ask one API.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from barid_contracts.base import Empty
from barid_contracts.status import ROLL_CALL, Findings, Replica, ServiceStatus, status_of

from .bus.port import Bus, BusError
from .bus.typed import answer, answer_each
from .inspection import Inspected
from .service import Service

RETRY_SECONDS = 1.0
"""A service may work while the bus is away."""


@runtime_checkable
class OnBus(Protocol):
    """A service that has a connection of its own."""

    @property
    def bus(self) -> Bus | None:
        """None: not open now."""


async def answer_status(service: Service, draining: Callable[[], bool]) -> None:
    """Returns when it is asked on the bus, which it is until the service closes its bus. One without a bus is not."""
    if not isinstance(service, OnBus):
        return
    since = int(time.time() * 1000)

    async def tell(request: Empty) -> ServiceStatus:
        return ServiceStatus(checks=service.checks())

    async def step_forward(request: Empty) -> Replica:
        findings = await service.inspect() if isinstance(service, Inspected) else Findings()
        bus = service.bus
        return Replica(
            service=service.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_version(service.name),
            since=since,
            draining=draining(),
            checks=service.checks(),
            bus_server=bus.server if bus is not None else "",
            findings=findings,
        )

    while True:
        bus = service.bus
        if bus is not None:
            try:
                await answer(bus, status_of(service.name), tell, queue=service.name)
                await answer_each(bus, ROLL_CALL, step_forward)
            except BusError:
                pass
            else:
                return
        await asyncio.sleep(RETRY_SECONDS)


def _version(service: str) -> str:
    import importlib.metadata  # 20 ms, for a question that few starts are asked

    try:
        return importlib.metadata.version(f"barid-{service.replace('_', '-')}")
    except importlib.metadata.PackageNotFoundError:
        return "?"
