"""From the options of `barid up` to processes and settings: pure decisions."""

import ipaddress
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .roster import SERVICES, Listener, member_name

HIGHEST_PORT = 65_535
HEALTH_OFFSET = 9_000
"""Health ports follow each other from port base + this."""

REPLICA_STEP = 1_000
"""A service's second process has its listeners on ports so much higher, and so on."""

REPLICAS_MOST = 8
"""The listeners of the last are still below the health ports."""

Size = Literal["embedded", "cluster"]
Outbound = Literal["direct", "smarthost", "capture"]


class PlanError(Exception):
    """The options can't be followed; the text says what to do instead."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `barid up` was told. processes: 0 is one for each service. port_base: None takes any free ports.

    overrides: service → setting → value, as text, for what has no option of its own. replicas: service → processes, in
    the cluster size; for who isn't named there, the roster says.
    """

    data: Path
    size: Size = "embedded"
    processes: int = 0
    replicas: Mapping[str, int] = field(default_factory=dict)
    host: str = "127.0.0.1"
    hostname: str = ""
    port_base: int | None = 10_000
    ready_file: Path | None = None
    accounts: tuple[tuple[str, str], ...] = ()
    sieve: str = ""
    allow_plaintext: bool = False
    outbound: Outbound = "capture"
    smarthost: str = ""
    routes: tuple[tuple[str, str], ...] = ()
    max_size: int | None = None
    drain_seconds: float = 20.0
    log_level: str = "info"
    log_format: str = "json"
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def check(self) -> None:
        """Raises PlanError."""
        if self.allow_plaintext and not is_loopback(self.host):
            raise PlanError(
                f"--allow-plaintext would let passwords cross the network in the clear from {self.host}: "
                "use --host 127.0.0.1, or leave the option out and let clients use TLS"
            )
        if self.outbound == "smarthost" and not self.smarthost:
            raise PlanError("--outbound smarthost needs --smarthost HOST:PORT")
        self._check_replicas()
        highest = HIGHEST_PORT - 995 - REPLICA_STEP * (max(self.replicas.values(), default=1) - 1)
        if self.port_base is not None and not 0 <= self.port_base <= highest:
            raise PlanError(f"--port-base must be between 0 and {highest}, so that all ports exist")
        for service, settings in self.overrides.items():
            if service not in SERVICES:
                raise PlanError(f"--set {service}.…: there is no such service; there are {', '.join(SERVICES)}")
            if taken := settings.keys() & {"data", "bus_url", "bus_user", "bus_password", "host"}:
                raise PlanError(f"--set {service}.{min(taken)}: this is the supervisor's to say")

    def _check_replicas(self) -> None:
        if self.replicas and self.size != "cluster":
            raise PlanError("--replicas are for --size cluster; there `barid up` brings along what they share")
        if self.replicas and self.processes:
            raise PlanError("--replicas and --processes exclude each other: a replica is a process")
        check_replicas(self.replicas, "--replicas ")


def check_replicas(replicas: Mapping[str, int], option: str) -> None:
    """option: how a wrong one is named. Raises PlanError."""
    for service, count in replicas.items():
        if service not in SERVICES:
            raise PlanError(f"{option}{service}=…: there is no such service; there are {', '.join(SERVICES)}")
        if not 1 <= count <= REPLICAS_MOST:
            raise PlanError(f"{option}{service}={count}: between 1 and {REPLICAS_MOST}")


def replicas_of(text: str, option: str) -> dict[str, int]:
    """`SERVICE=N,SERVICE=N`; services by either spelling. option: how a wrong one is named. Raises PlanError."""
    found: dict[str, int] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        service, equals, count = each.partition("=")
        if not (service and equals and count):
            raise PlanError(f"{option}{each}: the shape is SERVICE=N,SERVICE=N")
        if not (count.isascii() and count.isdecimal()):
            raise PlanError(f"{option}{each}: {count} is no number")
        found[service.replace("-", "_")] = int(count)
    return found


@dataclass(frozen=True, slots=True)
class Process:
    """services: in it. replica: 1 is the first, whose listeners have the usual ports."""

    services: tuple[str, ...]
    replica: int = 1

    @property
    def members(self) -> dict[str, str]:
        """Name among all processes → service."""
        return {member_name(service, self.replica): service for service in self.services}

    @property
    def name(self) -> str:
        return "+".join(self.members)


def processes(options: UpOptions, alone: Container[str] = ()) -> list[Process]:
    """alone: services of which there can be only one process. Raises PlanError if there are to be more."""
    if options.size != "cluster" or options.processes:
        return [Process(group) for group in groups(SERVICES, options.processes)]
    found: list[Process] = []
    for service, entry in SERVICES.items():
        count = options.replicas.get(service, 1 if service in alone else entry.replicas)
        if count > 1 and service in alone:
            raise PlanError(f"--replicas {service}={count}: its tables are a file of one process; leave it at 1")
        found += [Process((service,), replica) for replica in range(1, count + 1)]
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening_ports(options: UpOptions, services: Iterable[str] = SERVICES, replica: int = 1) -> dict[str, int]:
    """Listener → port; 0 takes any."""
    return {
        name: _port(options, service, listener, replica)
        for service in services
        for name, listener in SERVICES[service].listeners.items()
    }


def _port(options: UpOptions, service: str, listener: Listener, replica: int) -> int:
    step = REPLICA_STEP * (replica - 1)
    told = options.overrides.get(service, {}).get(listener.setting, "")
    if _is_port(told):
        return int(told) and int(told) + step
    return 0 if options.port_base is None else options.port_base + listener.standard + step


def _is_port(text: str) -> bool:
    """What isn't goes to the service, whose settings say what is wrong with it."""
    return text.isascii() and text.isdecimal() and int(text) <= HIGHEST_PORT


def health_ports(options: UpOptions, processes: int) -> list[int]:
    """Of each process; 0 takes any."""
    if options.port_base is None:
        return [0] * processes
    first = options.port_base + HEALTH_OFFSET
    return [port if port <= HIGHEST_PORT else 0 for port in range(first, first + processes)]


def groups(services: Iterable[str], processes: int) -> list[tuple[str, ...]]:
    """Services by process. processes: 0 or more than there are is one each; between, the heaviest go apart first."""
    names = list(services)
    if processes <= 0 or processes >= len(names):
        return [(name,) for name in names]
    bins: list[list[str]] = [[] for _ in range(processes)]
    for name in sorted(names, key=lambda name: -SERVICES[name].weight):
        min(bins, key=lambda each: sum(SERVICES[one].weight for one in each)).append(name)
    return [tuple(each) for each in bins if each]


def service_settings(
    service: str, options: UpOptions, ports: Mapping[str, int], bus_url: str, bus_password: str, api_key: str
) -> dict[str, Any]:
    """What the service's `Settings` are loaded with, above environment and file. JSON-able. ports: by listener."""
    given: dict[str, Any] = {
        "data": str(options.data),
        "bus_url": bus_url,
        "bus_user": service,
        "bus_password": bus_password,
        "host": options.host,
        "drain_seconds": options.drain_seconds,
    }
    if options.hostname:
        given["hostname"] = options.hostname
    for name, listener in SERVICES[service].listeners.items():
        given[listener.setting] = ports[name]
    if service in ("smtp_ingress", "mss"):
        given["allow_plaintext"] = options.allow_plaintext
    if service == "smtp_ingress" and options.max_size is not None:
        given["max_size"] = options.max_size
    if service == "admin":
        given["admin_api_key"] = api_key
    if service == "relay":
        given["outbound"] = options.outbound
        given["routes"] = dict(options.routes)
        if options.smarthost:
            given["smarthost"] = options.smarthost
    ours = {listener.setting for listener in SERVICES[service].listeners.values()}
    told = options.overrides.get(service, {})
    return given | {name: value for name, value in told.items() if not (name in ours and _is_port(value))}
