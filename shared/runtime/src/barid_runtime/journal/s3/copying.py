"""A bucket's journal as a whole (`..copying`). Every pack of a bucket is sealed; those marked as refused count as not
there."""

from collections.abc import Collection, Iterator
from typing import BinaryIO

from ...objects.place import S3Place
from ...objects.port import ObjectMissing
from ...objects.s3 import PART, Bucket
from ..copying import Hashed, Stored
from . import keys
from .closed import write_closed

CONNECTIONS = 8


class BucketSource:
    def __init__(self, place: S3Place) -> None:
        # An empty bucket in the place of one that vanished, or by a wrong name, would be saved as if nothing were lost.
        self._store = Bucket(place, connections=CONNECTIONS, makes=False)

    def packs(self) -> Iterator[Stored]:
        refused = {keys.name_in(each.key) for each in self._store.below(keys.ABORTED)}
        for each in self._store.below(keys.PACKS):
            name = keys.name_in(each.key)
            if name is not None and name not in refused:
                yield Stored(name, each.size)

    def large_bodies(self) -> Iterator[Stored]:
        for each in self._store.below(keys.OBJECTS):
            if keys.pack_key(each.key) is not None:
                yield Stored(each.key, each.size)

    def copy(self, stored: Stored, target: BinaryIO) -> str | None:
        hashed = Hashed(target)
        try:
            for start in range(0, stored.size, PART):
                hashed.write(self._store.get(_key(stored.name), start, min(PART, stored.size - start)))
        except ObjectMissing:
            return None
        return hashed.digest()

    def close(self) -> None:
        self._store.close()


class BucketTarget:
    def __init__(self, place: S3Place) -> None:
        self._store = Bucket(place, connections=CONNECTIONS)

    def names(self) -> Iterator[Stored]:
        for each in self._store.below(keys.PACKS):
            name = keys.name_in(each.key)
            if name is not None:
                yield Stored(name, each.size)
        for each in self._store.below(keys.OBJECTS):
            yield Stored(each.key, each.size)

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        if size <= PART:
            self._store.put(_key(name), source.read())
        else:
            self._store.put_stream(_key(name), source, size)

    def finish(self, names: Collection[str], closed: Collection[str]) -> None:
        folders = {name.partition("/")[0] for name in (each.name for each in self.names()) if _is_pack(name)}
        mine: dict[str, list[str]] = {folder: [] for folder in folders}
        for name in closed:
            if (folder := name.partition("/")[0]) in mine:
                mine[folder].append(name)
        for folder, packs in mine.items():
            # First the list that says less: a reader between the two looks at packs once too often.
            write_closed(self._store, folder, packs, all_of_them=False)
            self._store.delete([f"{keys.closed_prefix(folder)}{keys.ALL}"])

    def close(self) -> None:
        self._store.close()


def _is_pack(name: str) -> bool:
    return keys.PACK_NAME.fullmatch(name) is not None


def _key(name: str) -> str:
    key = keys.pack_key(name)
    if key is None:
        raise ObjectMissing(f"{name} is no name of ours")
    return key
