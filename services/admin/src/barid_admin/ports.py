"""What the API needs of the house: the bus to ask the owners of everything, and the journal's bodies to read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from barid_runtime.bus.port import Bus
from barid_runtime.journal.port import BodyReader


@dataclass(frozen=True, slots=True)
class Doors:
    """All open. close: ends them."""

    bus: Bus
    bodies: BodyReader
    close: Callable[[], Awaitable[None]]


OpenDoors = Callable[[], Awaitable[Doors]]
"""Raises BusError when the bus can't be reached."""
