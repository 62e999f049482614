"""The services at work, whatever processes they have: what `barid up` needs of them, and the one-process kind."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from barid_runtime import trace_export, tracing
from barid_runtime.logging import get_logger
from barid_runtime.service import Service

from .roster import SERVICES

if TYPE_CHECKING:
    from barid_runtime.health import HealthServer
    from barid_runtime.run import Runner

log = get_logger("barid.crew")

CHECK_SECONDS = 0.01
"""Between two looks whether all checks say `ok`."""

READY_SECONDS = 60.0
"""A service that has started and is not ready by then says what it lacks, and the start fails."""


class CrewError(Exception):
    """The services can't be brought to work, or kept at it; the text says which, and why. exit_code: of sysexits(3)."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class Crew(Protocol):
    """`open` begins to load the services' code, while others do something else. `start` returns when every service is
    ready; `started` as soon as that one has started. `failed` is set when there is no going on; its result says why.
    `pids`, `health_ports` and `ports` (of listeners) by member: the name of a service, or of a
    further process of it."""

    failed: asyncio.Future[CrewError]

    async def open(self) -> None: ...

    async def started(self, service: str) -> None: ...

    async def start(self, settings: Mapping[str, dict[str, Any]]) -> None: ...

    def pids(self) -> dict[str, int]: ...

    def health_ports(self) -> dict[str, int]: ...

    def ports(self) -> dict[str, dict[str, int]]: ...

    async def stop(self) -> None: ...


def in_order_of_leaving(services: Sequence[str]) -> list[list[str]]:
    """Those who take work in first; those who answer others last."""
    ordered = sorted(services, key=lambda name: SERVICES[name].leaves)
    return [list(each) for _, each in groupby(ordered, key=lambda name: SERVICES[name].leaves)]


class LocalCrew:
    """All services on the running loop.

    Each is started while a thread imports the next: most of a start is imports, and what the others wait for, as the
    hashing of first passwords, hides behind them.
    """

    def __init__(
        self,
        load: Callable[[str], object],
        build: Callable[[str, Mapping[str, Any]], Service],
        *,
        health_port: int,
        drain_seconds: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._load = load
        self._build = build
        self._health_port = health_port
        self._drain_seconds = drain_seconds
        self._services: dict[str, Service] = {}
        self._loaded: dict[str, asyncio.Future[None]] = {name: loop.create_future() for name in SERVICES}
        self._started = {name: asyncio.Event() for name in SERVICES}
        self._loading: asyncio.Task[None] | None = None
        self._health: HealthServer | None = None
        self._watch: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[CrewError] = loop.create_future()

    async def open(self) -> None:
        self._loading = asyncio.create_task(self._load_all())

    async def _load_all(self) -> None:
        for name, loaded in self._loaded.items():
            try:
                await asyncio.to_thread(self._load, name)
            except Exception as error:
                loaded.set_exception(error)
                return
            loaded.set_result(None)

    async def started(self, service: str) -> None:
        await self._started[service].wait()

    async def start(self, settings: Mapping[str, dict[str, Any]]) -> None:
        # Here: the supervisor of other processes needs neither.
        from barid_runtime.health import HealthServer
        from barid_runtime.run import Runner

        services: list[Service] = []
        runner = Runner(services)
        asyncio.get_running_loop().set_exception_handler(runner.on_exception)
        self._watch = asyncio.create_task(self._watch_fatal(runner))
        async with asyncio.TaskGroup() as group:
            for name, given in settings.items():
                await self._loaded[name]
                service = self._services[name] = self._build(name, given)
                services.append(service)
                group.create_task(self._start(runner, name, service))
        self._health = HealthServer(services, port=self._health_port)
        await self._health.start()
        await self._until_ready()

    async def _start(self, runner: "Runner", name: str, service: Service) -> None:
        await runner.start_one(service)
        self._started[name].set()

    async def _until_ready(self) -> None:
        lacking: list[str] = []
        try:
            async with asyncio.timeout(READY_SECONDS):
                while lacking := self._lacking():  # noqa: ASYNC110 - checks are words of the moment, not events
                    await asyncio.sleep(CHECK_SECONDS)
        except TimeoutError:
            raise CrewError("not ready: " + "; ".join(lacking)) from None

    def _lacking(self) -> list[str]:
        return [
            f"{name}: {check}: {word}"
            for name, service in self._services.items()
            for check, word in service.checks().items()
            if word != "ok"
        ]

    async def _watch_fatal(self, runner: "Runner") -> None:
        """A background task of a service died in a way that it can't go on from."""
        await runner.wait()
        if not self.failed.done():
            self.failed.set_result(CrewError("a service ended; the log says why"))

    def pids(self) -> dict[str, int]:
        return dict.fromkeys(self._services, os.getpid())

    def health_ports(self) -> dict[str, int]:
        return dict.fromkeys(self._services, self._health.port) if self._health is not None else {}

    def ports(self) -> dict[str, dict[str, int]]:
        return {name: service.ports() for name, service in self._services.items()}

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
        if self._health is not None:
            self._health.draining = True
        from barid_runtime.run import Runner

        loop = asyncio.get_running_loop()
        until = loop.time() + self._drain_seconds
        for stage in in_order_of_leaving(list(self._services)):
            left = max(0.5, until - loop.time())
            await Runner([self._services[name] for name in stage], drain_seconds=left).drain()
        if tracing.door is not None:
            await asyncio.to_thread(trace_export.stop)
        if self._watch is not None:
            self._watch.cancel()
        if self._health is not None:
            await self._health.close()
