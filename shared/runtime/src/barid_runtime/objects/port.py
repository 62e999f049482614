"""What the journal needs of a store of objects. All of it blocks, so all of it is called from threads.

ObjectError               the root; its text is safe for logs
├── ObjectMissing         the store answers, and has no such object
│   └── ObjectEnds        it has, but it ends before what was asked for
├── ObjectsRefused        it refuses us: a key that is wrong, no leave, no bucket. Only an operator mends it
└── ObjectsUnavailable    it doesn't answer, or with an error of its own: whether it did what was asked is not known
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol


class ObjectError(Exception):
    """The store did not do what was asked."""


class ObjectMissing(ObjectError):
    """No such object."""


class ObjectEnds(ObjectMissing):
    """Nothing stands at that offset."""


class ObjectsRefused(ObjectError):
    """The store answers that we may not."""


class ObjectsUnavailable(ObjectError):
    """No answer, or an error of the store's."""


@dataclass(frozen=True, slots=True)
class Listed:
    """modified: epoch seconds by the store's clock."""

    key: str
    size: int
    modified: float


class ObjectStore(Protocol):
    """Keys are written once, or always with the same bytes, save where it is said: stores that ignore
    `If-None-Match` overwrite without a word. Raises ObjectError."""

    def put(self, key: str, data: bytes) -> None:
        """One request, whatever the size. Done again after a failure it changes nothing."""

    def put_stream(self, key: str, stream: BinaryIO, size: int) -> None:
        """A large object, in parts of PART bytes; it exists whole or not at all."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """A range of it; shorter only at its end. Raises ObjectMissing, also where nothing stands at `offset`."""

    def size(self, key: str) -> int | None:
        """None if there is none."""

    def below(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        """All below the prefix, ascending by key, 1,000 a request as they are asked for."""

    def folders(self, prefix: str) -> list[str]:
        """The prefixes one level below, each ending in a slash."""

    def delete(self, keys: Sequence[str]) -> None:
        """Those that are there. Idempotent."""

    def now(self) -> float:
        """Epoch seconds by the clock that `modified` is of, to the second. Raises ObjectsUnavailable."""

    def close(self) -> None:
        """Let go of idle connections."""
