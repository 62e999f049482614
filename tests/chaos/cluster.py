"""What can be made to fail of a cluster size on one machine."""

from dataclasses import dataclass
from pathlib import Path

from .clocks import Clocks
from .store import FailingStore


@dataclass(frozen=True, slots=True)
class Cluster:
    """folder: of the system."""

    folder: Path
    store: FailingStore
    clocks: Clocks
