"""A service that the runner has started says on the bus how it is."""

import asyncio

import pytest

from barid_contracts.base import Empty
from barid_contracts.status import status_of
from barid_runtime import liveness
from barid_runtime.bus.access import Access
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, NoResponders
from barid_runtime.bus.typed import call
from barid_runtime.run import Runner


class Sample:
    """A service; `late`: its bus comes after its start, as a door's may."""

    name = "mda"

    def __init__(self, url: str, *, late: bool = False) -> None:
        self._settings = Access(url)
        self._late = late
        self.bus: Bus | None = None
        self.problem = "ok"

    async def start(self) -> None:
        if not self._late:
            await self.open()

    async def open(self) -> None:
        self.bus = await connect(self._settings, name="mda")

    async def drain(self) -> None:
        if self.bus is not None:
            await self.bus.close()

    def checks(self) -> dict[str, str]:
        return {"bus": "ok", "disk": self.problem}

    def ports(self) -> dict[str, int]:
        return {}


async def told(bus: Bus) -> dict[str, str]:
    async with asyncio.timeout(5):
        while True:
            try:
                return (await call(bus, status_of("mda"), Empty(), timeout=1)).checks
            except NoResponders:
                await asyncio.sleep(0.01)


async def test_it_tells_its_checks_until_it_ends(bus: Bus, nats_url: str) -> None:
    service = Sample(nats_url)
    runner = Runner([service])
    await runner.start()
    assert await told(bus) == {"bus": "ok", "disk": "ok"}
    service.problem = "full"
    assert await told(bus) == {"bus": "ok", "disk": "full"}
    await runner.drain()
    with pytest.raises(NoResponders):
        await call(bus, status_of("mda"), Empty(), timeout=1)


async def test_it_tells_once_its_bus_is_there(bus: Bus, nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "RETRY_SECONDS", 0.01)
    service = Sample(nats_url, late=True)
    runner = Runner([service])
    await runner.start()
    with pytest.raises(NoResponders):
        await call(bus, status_of("mda"), Empty(), timeout=1)
    await service.open()
    assert await told(bus) == {"bus": "ok", "disk": "ok"}
    await runner.drain()
