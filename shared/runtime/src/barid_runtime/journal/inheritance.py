"""What is taken over of a dead writer's."""

from dataclasses import dataclass, field
from typing import Protocol


class InheritedFolder(Protocol):
    """A dead writer's, held by us."""

    @property
    def name(self) -> str:
        """As BodyRef.pack begins."""

    def release(self) -> None:
        """All of it is published, or we end."""


@dataclass(slots=True)
class Unpublished:
    """Bytes of a pack whose records may not have been published."""

    pack: str
    start: int
    end: int


@dataclass(slots=True)
class Inheritance:
    """A dead writer's folder, held by us. notes: what was found wrong, for the log."""

    folder: InheritedFolder
    unpublished: list[Unpublished] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
