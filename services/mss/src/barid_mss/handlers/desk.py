"""What all sessions share."""

from dataclasses import dataclass

from barid_runtime.bus.port import Bus
from barid_runtime.clock import Clock
from barid_runtime.journal.port import BodyReader

from ..ports import Journal
from ..settings import Settings
from ..views.shelf import Shelf
from ..views.status import Statuses
from ..views.summaries import Summaries
from .gate import Gate
from .measures import Measures
from .unreadable import Unreadable


@dataclass(frozen=True, slots=True)
class Desk:
    settings: Settings
    bus: Bus
    clock: Clock
    journal: Journal
    bodies: BodyReader
    shelf: Shelf
    statuses: Statuses
    summaries: Summaries
    gate: Gate
    measures: Measures
    unreadable: Unreadable
