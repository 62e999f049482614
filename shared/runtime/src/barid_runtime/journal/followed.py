"""What a publisher needs of the journal that it follows, be it a directory or a bucket."""

from collections.abc import Callable
from typing import Protocol

from .batch import Committed, CommittedMail
from .inheritance import Inheritance
from .port import JournalWriter
from .puts import Puts


class Progress(Protocol):
    """How far each pack is published. All on the loop."""

    def begin(self, pack: str, start: int, end: int) -> None:
        """Another's pack, of which the bytes from start to end are to be published."""

    def finish(self, pack: str, start: int, end: int) -> None:
        """The bus has all that is owed between start and end. Batches are finished in any order."""

    def is_done(self, folder: str) -> bool:
        """Whether all that was begun of that folder's packs is published."""

    def forget(self, folder: str) -> None:
        """It is another's now."""

    def write(self) -> None:
        """Bring what is durable of it up to date. What a crash loses of it is published again."""


class Followed(Protocol):
    @property
    def writer(self) -> str:
        """The service's name."""

    @property
    def cursors(self) -> Progress: ...

    def listen(self, listener: Callable[[Committed], None]) -> None:
        """Hears of every durable batch, on the loop."""

    async def probe(self) -> None:
        """At a start: whether what it stands on takes us. Raises ObjectsRefused where only an operator mends that; a
        store that is not there yet is logged."""

    def inherit(self) -> list[Inheritance]:
        """Take over what dead incarnations of the same service left. Blocks."""

    def read_slice(self, pack: str, start: int, end: int) -> tuple[list[CommittedMail], int]:
        """Up to some hundred mails that are owed to somebody, from a pack, and the offset to go on from. Blocks. Raises
        JournalError where it is gone for good, OSError where another try may work."""


class Journal(JournalWriter, Followed, Protocol):
    """A journal as a service's composition root holds it."""

    @property
    def appended(self) -> int:
        """Records made durable."""

    @property
    def puts(self) -> Puts | None:
        """What became of its PUTs; None where it makes none."""

    @property
    def problem(self) -> str:
        """Why mail can't be taken, or could not; empty if all is well. For readiness."""
