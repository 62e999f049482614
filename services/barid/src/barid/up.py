"""`barid up`: the whole system, from an empty folder to a prompt that says how to send a first mail.

Order of things: the folder's lock and all ports; then at the same time the services' code, the ground under them (the
bus; in the cluster size a database and an object store, too) and the certificate;
then the services, all at once, and the first accounts as soon as the directory answers; then the ready file. To the
end: services in order of leaving, the ground last, ports, the lock.

What takes long to import (the bus, the contracts, settings) is imported where it is needed, while the fork server does
the same on another core.
"""

import asyncio
import gc
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvloop

from barid_runtime import logging
from barid_runtime.logging import get_logger

from .control import Control
from .crew import Crew, CrewError, LocalCrew
from .folder import DataFolder, FolderError, write_private
from .forkserver import few_arenas
from .ground import ClusterGround, ClusterPorts, EmbeddedGround, Ground, all_in_bucket, alone, cluster_ports
from .plan import PlanError, Process, UpOptions, health_ports, listening_ports, processes, service_settings
from .ports import LOOPBACK, PortError, Reservations
from .roster import BUS, SERVICES
from .scaling import Scaling, services_of
from .supervisor import Supervisor
from .welcome import command, welcome

log = get_logger("barid.up")

EXIT_USAGE = 2
"""As typer's, for options that contradict each other; what else keeps us from starting is of sysexits(3)."""

OPERATOR = "barid"
"""The supervisor's own user on the bus."""


def up(options: UpOptions) -> int:
    """Run until a signal; the exit code. Faults are told on standard error, with what to do."""
    # Before anything is made: databases and the bus's store take their mode from it, in all processes that we start.
    # The folder's own mode does not shield them where the folder was there before us.
    os.umask(0o077)
    logging.configure(options.log_level, options.log_format)
    folder = DataFolder(options.data)
    reserved = Reservations()
    try:
        options.check()
        folder.prepare()
        # First: while processes of a run that was killed are ending, their ports aren't free.
        lock = folder.lock()
        folder.refuse_half_restored()
        places = _places(options, reserved)
        few_arenas()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_System(options, folder, lock, places, reserved).run())
    except PlanError as error:
        _complain(error)
        return EXIT_USAGE
    except (PortError, FolderError, OSError) as error:
        return _complain(error)
    finally:
        reserved.release()
        folder.unlock()


@dataclass(frozen=True, slots=True)
class _Places:
    """Where everything will answer. health: ports of each process. listeners: member (of a process) → name → port.
    ground: of the bus alone, or of all that a cluster needs. fields: names of each service's settings, where they are
    asked for."""

    processes: list[Process]
    health: list[int]
    listeners: dict[str, dict[str, int]]
    ground: int | ClusterPorts
    fields: Mapping[str, Collection[str]]


def _places(options: UpOptions, reserved: Reservations) -> _Places:
    """Raises PortError: better said before anything is started than by a service that can't listen."""
    cluster = options.size == "cluster"
    fields = _fields() if cluster else dict.fromkeys(SERVICES, ())
    dealt = processes(options, alone(fields) if cluster else ())
    listeners = {
        member: {
            name: reserved.take(name, options.host, port)
            for name, port in listening_ports(options, (service,), process.replica).items()
        }
        for process in dealt
        for member, service in process.members.items()
    }
    health = [
        reserved.take(f"health of {process.name}", LOOPBACK, port)
        for process, port in zip(dealt, health_ports(options, len(dealt)), strict=True)
    ]
    return _Places(
        dealt,
        health,
        listeners,
        cluster_ports(reserved) if cluster else reserved.take(BUS, LOOPBACK),
        fields,
    )


def _fields() -> dict[str, Collection[str]]:
    """Names of each service's settings."""
    from .building import settings_type

    return {service: settings_type(service).model_fields.keys() for service in SERVICES}


class _System:
    def __init__(
        self, options: UpOptions, folder: DataFolder, lock: int, places: _Places, reserved: Reservations
    ) -> None:
        self._options = options
        self._folder = folder
        self._lock = lock
        self._places = places
        self._reserved = reserved
        self._services = list(SERVICES)
        self._passwords = {name: secrets.token_urlsafe(24) for name in [*self._services, OPERATOR]}
        self._ground: Ground | None = None
        self._crew: Crew | None = None
        self._stop = asyncio.Event()
        self._accounts: list[dict[str, str]] = []
        self._api_key = folder.api_key()
        self._tasks: list[asyncio.Task[None]] = []
        self._was_ready = False
        self._scaling: Scaling | None = None
        self._control = Control(folder.path, self._on_order)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        code = 0
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                code = await self._until_end(stopping)
        except* _faults() as group:
            code = _complain(*_leaves(group))
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)
            await self._end()
        return code

    async def _until_end(self, stopping: "asyncio.Task[Any]") -> int:
        assert self._crew is not None
        done, _ = await asyncio.wait((stopping, self._crew.failed), return_when=asyncio.FIRST_COMPLETED)
        if self._crew.failed in done:
            failure = self._crew.failed.result()
            log.error("ending", reason=str(failure))
            return failure.exit_code
        return 0

    def _on_signal(self, number: int) -> None:
        if self._stop.is_set():
            log.warning("second signal: ending at once")
            os._exit(128 + number)
        self._stop.set()

    # --- start

    async def _start(self) -> None:
        began = time.perf_counter()
        if self._options.ready_file is not None:
            # One of an earlier run says nothing about this one.
            self._options.ready_file.unlink(missing_ok=True)
        local = self._options.processes == 1
        if not local:
            self._crew = crew = self._supervisor()
            await crew.open()
        from barid_runtime.tls import ensure_self_signed

        self._ground = ground = self._lay_ground()
        await ground.launch()
        if local:
            self._crew = crew = self._local_crew()
            await crew.open()
        names = (self._options.hostname or socket.gethostname(), "localhost", "127.0.0.1")
        # Before the services, which would each make one.
        ensure_self_signed(self._folder.path / "tls", names, time.time())
        await ground.ready()
        self._tasks += [asyncio.create_task(keeper) for keeper in ground.keepers(self._tell)]
        settings = self._settings()
        async with asyncio.TaskGroup() as both:
            both.create_task(crew.start(settings))
            both.create_task(self._provision(crew, ground.bus_url))
        self._was_ready = True
        if isinstance(crew, Supervisor) and self._options.size == "cluster" and not self._options.processes:
            alone_ones = alone(self._places.fields)
            ports = self._places.listeners
            self._scaling = Scaling(self._options, crew, self._reserved, ports, self._settings_of, alone_ones)
        await self._control.open()
        self._tell()
        self._tasks.append(asyncio.create_task(self._keep_told()))
        given = bool(self._options.accounts)
        sys.stdout.write(welcome(self._status(), self._folder.path, settings["relay"], command(), given=given))
        sys.stdout.flush()
        log.info("ready", seconds=round(time.perf_counter() - began, 3))
        # Afterwards: nobody need wait for it.
        gc.collect()
        gc.freeze()
        gc.enable()

    async def _provision(self, crew: Crew, url: str) -> None:
        """While other services are starting: passwords are hashed on another core."""
        await crew.started("directory")
        from barid_runtime.bus.nats import connect

        from .provision import install, provision

        wanted, script = self._options.accounts, self._options.sieve
        bus = await connect(url, user=OPERATOR, password=self._passwords[OPERATOR], name="barid")
        try:
            self._accounts = await provision(bus, self._folder, wanted)
            if script:
                await crew.started("mailstore")
                await install(bus, [login for login, _ in wanted], script)
        finally:
            await bus.close()

    def _lay_ground(self) -> Ground:
        folder, ports = self._folder.path, self._places.ground
        if isinstance(ports, ClusterPorts):
            return ClusterGround(folder, ports, self._passwords, in_bucket=all_in_bucket(self._places.fields))
        return EmbeddedGround(folder, ports, self._passwords)

    def _local_crew(self) -> Crew:
        from .building import build, load_code

        drain_seconds = self._options.drain_seconds
        return LocalCrew(load_code, build, health_port=self._places.health[0], drain_seconds=drain_seconds)

    def _supervisor(self) -> Crew:
        options = self._options
        return Supervisor(
            self._places.processes,
            self._places.health,
            drain_seconds=options.drain_seconds,
            log_level=options.log_level,
            log_format=options.log_format,
            keep=(self._lock,),
        )

    def _settings(self) -> Mapping[str, dict[str, Any]]:
        """By member."""
        ports = self._places.listeners
        return {
            member: self._settings_of(member, service, ports[member])
            for process in self._places.processes
            for member, service in process.members.items()
        }

    def _settings_of(self, member: str, service: str, ports: Mapping[str, int]) -> dict[str, Any]:
        assert self._ground is not None
        return self._ground.settings(self._places.fields[service]) | service_settings(
            service, self._options, ports, self._ground.bus_url, self._passwords[service], self._api_key
        )

    async def _on_order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Of `barid cluster scale`. Raises PlanError, PortError, CrewError."""
        wanted = services_of(order)
        if self._scaling is None:
            raise PlanError("only `barid up --size cluster`, with a process for each service, can be scaled")
        log.info("scaling", **wanted)
        return {"replicas": await self._scaling.to(wanted)}

    # --- while it runs

    async def _keep_told(self) -> None:
        """The files name the present processes."""
        changed = getattr(self._crew, "changed", None)
        while changed is not None:
            await changed.wait()
            changed.clear()
            self._tell()

    def _tell(self) -> None:
        if not self._was_ready:
            return
        content = self._status()
        write_private(self._folder.admin_file, {"url": f"http://{content.get('admin', '')}", "api_key": self._api_key})
        write_private(self._folder.running_file, content)
        if self._options.ready_file is not None:
            write_private(self._options.ready_file, content)

    def _status(self) -> dict[str, Any]:
        assert self._crew is not None
        assert self._ground is not None
        host = "127.0.0.1" if self._options.host in ("0.0.0.0", "::") else self._options.host  # noqa: S104
        listeners = {
            member: {name: f"{host}:{port}" for name, port in ports.items()}
            for member, ports in self._crew.ports().items()
        }
        first = {name: address for service in SERVICES for name, address in listeners[service].items()}
        return (
            first
            | {
                "api_key": self._api_key,
                "accounts": self._accounts,
                "pids": {"barid": os.getpid()} | self._ground.pids() | self._crew.pids(),
                "health": {name: f"127.0.0.1:{port}" for name, port in self._crew.health_ports().items()},
                "listeners": listeners,
            }
            | self._ground.status()
        )

    # --- end

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.forget_running()
        await self._control.close()
        if self._crew is not None:
            await self._crew.stop()
        if self._ground is not None:
            await self._ground.stop()
        log.info("ended")


def _faults() -> tuple[type[Exception], ...]:
    """What a start may raise that the person who started us can do something about."""
    from barid_runtime.failures import EXPECTED, StartFailed

    return (CrewError, StartFailed, *EXPECTED)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Tasks of tasks fail in groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _complain(*errors: BaseException) -> int:
    """For the person who started us: plain text, whatever the log's format. The exit code, of the first."""
    from barid_runtime.failures import exit_code, sentence

    for text in dict.fromkeys(sentence(error) for error in errors):
        sys.stderr.write(f"barid up: {text}\n")
    return exit_code(errors[0])
