"""A service that the runner has started says on the bus how it is."""

import asyncio
import importlib.metadata
import os

import pytest

from barid_contracts.base import Empty
from barid_contracts.status import ROLL_CALL, Findings, Lease, Replica, status_of
from barid_runtime import liveness
from barid_runtime.bus.access import Access
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, NoResponders
from barid_runtime.bus.typed import call, call_all
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


class Slow(Sample):
    """Its drain takes until the test says so; what it stands on is what the test says."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ending = asyncio.Event()

    async def drain(self) -> None:
        await self.ending.wait()
        await super().drain()

    async def inspect(self) -> Findings:
        return Findings(holder="h1", leases=[Lease(what="duty", holder="h1", until=7)])


async def roll(bus: Bus) -> list[Replica]:
    found = await call_all(bus, ROLL_CALL, Empty(), Replica, timeout=0.5)
    return [each for each in found if each.pid == os.getpid()]


async def test_each_replica_answers_the_roll_call_also_while_it_drains(bus: Bus, nats_url: str) -> None:
    runners = [Runner([Sample(nats_url)]), Runner([slow := Slow(nats_url)])]
    for runner in runners:
        await runner.start()
    async with asyncio.timeout(5):
        while len(found := await roll(bus)) < 2:
            pass
    assert [each.draining for each in found] == [False, False]
    assert {each.bus_server for each in found} == {bus.server} != {""}
    assert {each.version for each in found} == {importlib.metadata.version("barid-mda")}
    assert sorted(each.findings.holder for each in found) == ["", "h1"]
    ending = asyncio.ensure_future(runners[1].drain())
    await asyncio.sleep(0)
    assert sorted((each.findings.holder, each.draining) for each in await roll(bus)) == [("", False), ("h1", True)]
    slow.ending.set()
    await ending
    assert [each.findings.holder for each in await roll(bus)] == [""]
    await runners[0].drain()
    assert await roll(bus) == []
