"""All that the service holds while it runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from barid_contracts.status import Findings
from barid_runtime.bus.port import Bus
from barid_runtime.clock import Clock

from .packs import Packs
from .store import Store


class OutboxPump(Protocol):
    """Journals the children that wait."""

    def notify(self) -> None:
        """There are new ones."""


@dataclass(frozen=True, slots=True)
class Doors:
    """problems: what readiness should say of the doors, name → `ok` or what is wrong. inspect: for the roll
    call."""

    bus: Bus
    store: Store
    packs: Packs
    outbox: OutboxPump
    clock: Clock
    problems: Callable[[], dict[str, str]]
    inspect: Callable[[], Awaitable[Findings]]
    close: Callable[[], Awaitable[None]]


OpenDoors = Callable[[], Awaitable[Doors]]
