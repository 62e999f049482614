"""What stands under the services: the bus alone, or all that the cluster size shares, brought along on this machine.

    embedded   one nats-server; tables and journal are files of the services
    cluster    three nats-servers, a PostgreSQL, an S3 server (rclone), found by settings as a real cluster's

Whatever ends by itself is started again on its port; the services wait for it meanwhile.
"""

import asyncio
import os
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from barid_runtime.logging import get_logger

from .buskeeper import keep_running, keep_storing
from .ports import LOOPBACK, Reservations
from .roster import BUS, SERVICES, member_name

if TYPE_CHECKING:
    from barid_runtime.bus.embedded import EmbeddedNats
    from barid_runtime.objects.embedded import EmbeddedS3

log = get_logger("barid.ground")

BUS_SERVERS = 3
"""The fewest of which one may be lost."""

DATABASE = "postgres"
OBJECTS = "rclone"
"""Their names among those of processes."""

CONNECTIONS = 400
"""That PostgreSQL takes: each process of a service with tables has one that writes, and some that
read."""

LOOK_SECONDS = 0.2
"""Between two looks whether they still run."""

PAUSE_FIRST = 0.1
PAUSE_MOST = 5.0


class Ground(Protocol):
    """`launch`, then `ready`. Both raise what the person who started us can do something about."""

    async def launch(self) -> None:
        """What takes long is begun."""

    async def ready(self) -> None:
        """Returns when everything takes connections."""

    @property
    def bus_url(self) -> str: ...

    def settings(self, fields: Collection[str]) -> dict[str, Any]:
        """Of a service that has these: where to find what it needs."""

    def pids(self) -> dict[str, int | None]: ...

    def status(self) -> dict[str, Any]:
        """For running.json. No passwords."""

    def keepers(self, on_restart: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        """To be run as long as the system does."""

    async def stop(self) -> None: ...


class EmbeddedGround:
    """The bus."""

    def __init__(self, folder: Path, port: int, users: Mapping[str, str]) -> None:
        from barid_runtime.bus.embedded import EmbeddedNats

        self._folder = folder
        self._bus = EmbeddedNats(folder / "nats", port, users)

    async def launch(self) -> None:
        await self._bus.launch()

    async def ready(self) -> None:
        await self._bus.ready()

    @property
    def bus_url(self) -> str:
        return self._bus.url

    def settings(self, fields: Collection[str]) -> dict[str, Any]:
        return {"bus_url": self._bus.url}

    def pids(self) -> dict[str, int | None]:
        return {BUS: self._bus.pid}

    def status(self) -> dict[str, Any]:
        return {"bus": self._bus.url}

    def keepers(self, on_restart: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        return [keep_running(self._bus, on_restart), keep_storing(self._bus, self._folder)]

    async def stop(self) -> None:
        await self._bus.stop()


@dataclass(frozen=True, slots=True)
class ClusterPorts:
    bus: tuple[int, ...]
    routes: tuple[int, ...]
    database: int
    objects: int


def cluster_ports(reserved: Reservations) -> ClusterPorts:
    """Any free ones. Raises PlanError."""
    numbers = range(1, BUS_SERVERS + 1)
    return ClusterPorts(
        tuple(reserved.take(member_name(BUS, number), LOOPBACK) for number in numbers),
        tuple(reserved.take(f"routes of {member_name(BUS, number)}", LOOPBACK) for number in numbers),
        reserved.take(DATABASE, LOOPBACK),
        reserved.take(OBJECTS, LOOPBACK),
    )


class ClusterGround:
    """in_bucket: whether the journal stands there; else it is in the data folder, which all processes share here."""

    def __init__(self, folder: Path, ports: ClusterPorts, users: Mapping[str, str], *, in_bucket: bool) -> None:
        from barid_runtime.bus.embedded_cluster import EmbeddedNatsCluster
        from barid_runtime.database.embedded import EmbeddedPostgres

        self._folder = folder
        self._bus = EmbeddedNatsCluster(folder / "nats", users, ports=ports.bus, route_ports=ports.routes)
        self._database = EmbeddedPostgres(folder / DATABASE, ports.database, {"max_connections": str(CONNECTIONS)})
        self._objects = _objects(folder / "objects", ports.objects) if in_bucket else None

    async def launch(self) -> None:
        open_to_database(self._folder)

    async def ready(self) -> None:
        async with asyncio.TaskGroup() as group:
            for starting in (self._bus, self._database, self._objects):
                if starting is not None:
                    group.create_task(starting.start())

    @property
    def bus_url(self) -> str:
        return self._bus.url

    def settings(self, fields: Collection[str]) -> dict[str, Any]:
        given: dict[str, Any] = {"bus_url": self._bus.url, "bus_replicas": BUS_SERVERS}
        if "database_url" in fields:
            given["database_url"] = self._database.url()
        if self._objects is not None and "s3_url" in fields:
            place = self._objects.place
            given |= {
                "s3_url": place.url,
                "s3_bucket": place.bucket,
                "s3_access_key": place.access_key,
                "s3_secret_key": place.secret_key,
            }
        return given

    def pids(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {
            member_name(BUS, number): server.pid for number, server in enumerate(self._bus.servers, 1)
        }
        found[DATABASE] = self._database.pid
        if self._objects is not None:
            found[OBJECTS] = self._objects.pid
        return found

    def status(self) -> dict[str, Any]:
        objects = self._objects.place.url if self._objects is not None else None
        return {"bus": self._bus.url, "database": f"127.0.0.1:{self._database.port}", "objects": objects}

    def keepers(self, on_restart: Callable[[], None]) -> list[Coroutine[Any, Any, None]]:
        found: list[Coroutine[Any, Any, None]] = []
        server: EmbeddedNats
        for server in self._bus.servers:
            found += [keep_running(server, on_restart), keep_storing(server, self._folder)]
        found.append(_keep(DATABASE, self._database, on_restart))
        if self._objects is not None:
            found.append(_keep(OBJECTS, self._objects, on_restart))
        return found

    async def stop(self) -> None:
        await self._bus.stop()
        await self._database.stop()
        if self._objects is not None:
            await self._objects.stop()


def open_to_database(folder: Path) -> None:
    """Root's PostgreSQL runs as somebody else, who must get through to its own folder."""
    if os.geteuid() == 0:
        for path in (folder, folder / DATABASE):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)


def _objects(folder: Path, port: int) -> "EmbeddedS3":
    from barid_runtime.objects.embedded import EmbeddedS3

    return EmbeddedS3(folder, port)


class _Startable(Protocol):
    @property
    def pid(self) -> int | None: ...

    async def start(self) -> None: ...


async def _keep(name: str, server: _Startable, on_restart: Callable[[], None]) -> None:
    """Start it again when it has ended."""
    pause = PAUSE_FIRST
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if server.pid is not None:
            pause = PAUSE_FIRST
            continue
        log.warning("it ended; starting it again", process=name, pause=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, PAUSE_MOST)
        try:
            await server.start()
        except Exception as error:
            # Of two doors, each with errors of its own; whatever it is, the next try may do.
            log.warning("it does not start", process=name, reason=str(error))
        else:
            on_restart()


def alone(fields: Mapping[str, Collection[str]]) -> set[str]:
    """Services of which there can be one process only: their tables can't be anywhere but in a file. fields: the names
    of each one's settings."""
    return {name for name, entry in SERVICES.items() if entry.tables and "database_url" not in fields[name]}


def all_in_bucket(fields: Mapping[str, Collection[str]]) -> bool:
    """Packs and bodies can be in a bucket only when all who touch them can find it."""
    return all("s3_url" in fields[name] for name, entry in SERVICES.items() if entry.journal)
