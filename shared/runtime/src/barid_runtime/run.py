"""From services to a process: event loop, signals, start with patience, health, drain.

SIGTERM or SIGINT: readiness says no, all services drain at once, the process ends with 0; what has not finished after
`drain_seconds` is named in the log and left, as a crash would leave it. A second signal ends at once.
The bus or PostgreSQL not being there is no failure of a start: it is tried again. Anything else that a start raises
ends the process, and whoever supervises it decides: what an operator can mend is one line and a code of its kind
(failures.py), what only we can is a traceback and 1.
"""

import asyncio
import gc
import os
import random
import signal
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import uvloop

from . import logging, trace_export, tracing
from .bus.port import BusError
from .database.port import DatabaseAway
from .failures import EXPECTED, StartFailed, as_start_failed
from .health import HealthServer
from .liveness import answer_status
from .logging import get_logger
from .metrics import Metrics
from .service import Service
from .settings import ServiceSettings, load_or_exit

DRAIN_SECONDS = 20.0
"""Below the 30 s that container platforms wait before they kill."""

RETRY_FIRST = 0.05
RETRY_MOST = 2.0

EXIT_FAILED = 1

GC_YOUNG = 20_000
"""Objects that are new before the collector looks for cycles among them. A batch of 30 mails makes more than the 700 of
Python's default, all of them soon freed without it: it cost the mailstore 8 of 95 µs a mail. Some MB of garbage at
worst; the older generations are collected by their usual steps."""

Ports = dict[str, dict[str, int]]

log = get_logger("run")
_unhandled = Metrics("process").counter("unhandled_exceptions", "Tasks that died of an exception nobody took")


class Fatal(Exception):
    """Raised in a background task by a service that can't go on: the process drains and ends with 1."""


class Runner:
    """Services in this process, on the running loop. For those who have a loop already; else `run`."""

    def __init__(self, services: Sequence[Service], *, drain_seconds: float = DRAIN_SECONDS) -> None:
        self.services = services
        self._drain_seconds = drain_seconds
        self._started: set[str] = set()
        self._stop = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self.exit_code = 0
        self.draining = False

    def started(self, service: Service) -> bool:
        return service.name in self._started

    def ports(self) -> Ports:
        """Listeners of those that have started."""
        return {service.name: service.ports() for service in self.services if self.started(service)}

    def stop(self, exit_code: int = 0) -> None:
        """End `wait`."""
        self.exit_code = self.exit_code or exit_code
        self._stop.set()

    async def start(self) -> None:
        """Returns when all have started. Raises a group of StartFailed and of whatever else a start raises, unless it
        is the bus or the database that is missing."""
        async with asyncio.TaskGroup() as group:
            for service in self.services:
                group.create_task(self.start_one(service))

    async def start_one(self, service: Service) -> None:
        """As `start`, for one of the services."""
        pause = RETRY_FIRST
        while True:
            try:
                await service.start()
            except (BusError, DatabaseAway) as error:
                which = "bus" if isinstance(error, BusError) else "database"
                log.warning(f"waiting for the {which}", service=service.name, error=str(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
                pause = min(pause * 2, RETRY_MOST)
            except EXPECTED as error:
                raise as_start_failed(service.name, error) from error
            else:
                self._started.add(service.name)
                answering = asyncio.get_running_loop().create_task(answer_status(service, lambda: self.draining))
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)
                log.info("started", service=service.name, ports=service.ports())
                return

    async def wait(self) -> None:
        """Until `stop`."""
        await self._stop.wait()

    async def drain(self) -> None:
        """All at once, within the limit. Raises nothing."""
        self.draining = True
        for answering in self._answering:
            answering.cancel()
        tasks = {asyncio.ensure_future(service.drain()): service.name for service in self.services}
        if not tasks:
            return
        done, late = await asyncio.wait(tasks, timeout=self._drain_seconds)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("drain failed", service=tasks[task], exc_info=error)
        for task in late:
            log.error("drain took too long", service=tasks[task], seconds=self._drain_seconds)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)

    def on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler."""
        error = context.get("exception")
        _unhandled.inc()
        log.error("unhandled", message=context.get("message", ""), exc_info=error)
        if isinstance(error, Fatal | MemoryError):
            self.stop(EXIT_FAILED)


async def _run(
    services: Sequence[Service],
    health_port: int | None,
    host: str,
    drain_seconds: float,
    on_ready: Callable[[Ports], None] | None,
    on_failed: Callable[[StartFailed], None],
) -> int:
    loop = asyncio.get_running_loop()
    runner = Runner(services, drain_seconds=drain_seconds)
    loop.set_exception_handler(runner.on_exception)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, runner, number)
    health = None
    if health_port is not None:
        health = HealthServer(services, host=host, port=health_port)
        health.started = runner.started
        try:
            await health.start()
        except OSError as error:
            failure = as_start_failed("health", error)
            on_failed(failure)
            return failure.exit_code
        log.info("health", port=health.port)
    starting = asyncio.ensure_future(runner.start())
    stopping = asyncio.ensure_future(runner.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not _failed(starting, runner, on_failed):
            if on_ready is not None:
                on_ready(runner.ports())
            await stopping
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        if health is not None:
            health.draining = True
        log.info("draining")
        await runner.drain()
        if tracing.door is not None:
            await asyncio.to_thread(trace_export.stop)
        if health is not None:
            await health.close()
    log.info("ended", code=runner.exit_code)
    return runner.exit_code


def _failed(starting: asyncio.Future[None], runner: Runner, on_failed: Callable[[StartFailed], None]) -> bool:
    error = starting.exception()
    if error is None:
        return False
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else (error,):
        if isinstance(each, StartFailed):
            on_failed(each)
            runner.stop(each.exit_code)
        else:
            log.error("start failed", error=f"{type(each).__name__}: {each}", exc_info=each)
            runner.stop(EXIT_FAILED)
    return True


def _log_failure(failure: StartFailed) -> None:
    log.error("start failed", error=str(failure))


def _on_signal(runner: Runner, number: int) -> None:
    if runner._stop.is_set():
        log.warning("second signal: ending at once")
        os._exit(128 + number)
    runner.stop()


def run(
    services: Sequence[Service],
    *,
    health_port: int | None = None,
    host: str = "127.0.0.1",
    drain_seconds: float = DRAIN_SECONDS,
    on_ready: Callable[[Ports], None] | None = None,
    on_failed: Callable[[StartFailed], None] = _log_failure,
) -> int:
    """Run the services until a signal; the exit code. on_ready: called once with all ports (service → listener → port).
    on_failed: what is told of a service that can't start, for a reason that an operator can mend.

    health_port: None for no health server, 0 for any port.
    """
    gc.set_threshold(GC_YOUNG, *gc.get_threshold()[1:])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop_runner:
        return loop_runner.run(_run(services, health_port, host, drain_seconds, on_ready, on_failed))


Settings = TypeVar("Settings", bound=ServiceSettings)


def serve(build: Callable[[Settings], Service], settings_type: type[Settings]) -> NoReturn:
    """The whole `main` of a service: settings, logs, the service, until a signal.

    What the process makes is for its user alone: databases take their mode from the umask.
    """
    os.umask(0o077)
    settings = load_or_exit(settings_type)
    logging.configure(settings.log_level, settings.log_format)
    try:
        trace_export.start(settings.otlp_endpoint, settings.trace_ratio)
        service = build(settings)
    except EXPECTED as error:
        failure = as_start_failed(settings_type.section, error)
        _log_failure(failure)
        raise SystemExit(failure.exit_code) from None
    raise SystemExit(
        run([service], health_port=settings.health_port, host=settings.host, drain_seconds=settings.drain_seconds)
    )
