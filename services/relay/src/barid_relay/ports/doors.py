"""All that the service holds while it runs."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from barid_contracts.status import Findings
from barid_runtime.bus.port import Bus
from barid_runtime.clock import Clock
from barid_runtime.journal.port import BodyReader

from .hosts import Dialer, Resolver
from .memory import Memory
from .queue import Queue
from .replicas import Replicas


class Outbox(Protocol):
    """Journals the notices that wait."""

    def notify(self) -> None:
        """There are new ones."""


@dataclass(frozen=True, slots=True)
class Doors:
    """packs_open: those of the named packs that aren't closed, and of the objects that there are. shuffle: puts equal
    hosts in random order, in place. replicas: None where the queue is ours alone. problems: name → `ok` or what is
    wrong. inspect: for the roll call."""

    bus: Bus
    queue: Queue
    memory: Memory
    replicas: Replicas | None
    packs_open: Callable[[Collection[str]], Awaitable[set[str]]]
    outbox: Outbox
    bodies: BodyReader
    resolver: Resolver
    dialer: Dialer
    clock: Clock
    shuffle: Callable[[list[str]], None]
    problems: Callable[[], dict[str, str]]
    inspect: Callable[[], Awaitable[Findings]]
    close: Callable[[], Awaitable[None]]


OpenDoors = Callable[[], Awaitable[Doors]]
