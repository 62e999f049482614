"""Which packs stand in the bucket and aren't closed. Everything here blocks, and raises ObjectError.

Hours whose packs are all closed are not listed again: their writers' lists are named `all`, so one listing of
`closed/`, at the start and every LOOK_AGAIN, says which they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ...objects.port import ObjectStore
from . import keys
from .closed import closed_packs, write_closed

LATE = 3 * 3600.0
"""Seconds after the beginning of its hour, and after its newest pack, when a writer's folder gets no pack any more: an
hour, its last PUT's deadline, and a clock that is wrong. The second, because a writer's clock may be far behind."""

LOOK_AGAIN = 3600.0
"""Seconds: a writer that comes back after long may send a pack of an hour that was done with (`reopen`)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """modified: epoch seconds by the store's clock."""

    name: str
    size: int
    modified: float


class Listing:
    """On one thread at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._finished: set[str] | None = None
        self._looked = 0.0
        self._done_hours: set[str] = set()
        self._closing: dict[str, set[str]] = {}

    def close(self, pack: str) -> None:
        """In the list at the next `flush`."""
        self._closing.setdefault(pack.partition("/")[0], set()).add(pack)

    def flush(self) -> None:
        for folder, packs in list(self._closing.items()):
            write_closed(self._store, folder, closed_packs(self._store, folder) | packs, all_of_them=False)
            self._closing.pop(folder)

    def is_finished(self, folder: str) -> bool:
        """All that it ever held is closed."""
        return folder in self._known_finished()

    def standing(self, now: float) -> list[Standing]:
        """Packs that aren't closed nor aborted, oldest writer first. now: by the store's clock."""
        if now - self._looked > LOOK_AGAIN:
            self._looked, self._finished = now, None
            self._done_hours.clear()
        finished = self._known_finished()
        found: list[Standing] = []
        for hour in self._below(keys.PACKS):
            if hour in self._done_hours:
                continue
            late = now - LATE > keys.beginning(hour)
            aborted = {keys.name_in(each.key) for each in self._store.below(f"{keys.ABORTED}{hour}/")}
            unfinished = [folder for folder in self._below(f"{keys.PACKS}{hour}/") if folder not in finished]
            for folder in unfinished:
                closed = closed_packs(self._store, folder) | self._closing.get(folder, set())
                every = list(self._in(folder))
                left = [each for each in every if each.name not in closed and each.name not in aborted]
                found += left
                if late and not left and all(each.modified < now - LATE for each in every):
                    write_closed(self._store, folder, closed, all_of_them=True)
                    finished.add(folder)
            if late and all(folder in finished for folder in unfinished):
                self._done_hours.add(hour)
        return found

    def _in(self, folder: str) -> Iterator[Standing]:
        for listed in self._store.below(keys.folder_prefix(folder)):
            name = keys.name_in(listed.key)
            if name is not None:
                yield Standing(name, listed.size, listed.modified)

    def _below(self, prefix: str) -> list[str]:
        return [each.removeprefix(prefix).rstrip("/") for each in self._store.folders(prefix)]

    def _known_finished(self) -> set[str]:
        if self._finished is None:
            every = (each.key.split("/") for each in self._store.below(keys.CLOSED))
            self._finished = {parts[2] for parts in every if len(parts) == 4 and parts[3] == keys.ALL}
        return self._finished
