"""Where a journal stands: in a local directory, or in a bucket with local copies of what is young.

What the second needs is imported when it is needed: a process of the embedded size does not pay for it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..clock import Clock
from ..objects.place import S3Place
from .followed import Journal
from .keeper import LocalKeeper, PackKeeper
from .port import BodyReader


@dataclass(frozen=True, slots=True)
class JournalPlace:
    """root: the local directory. s3: the bucket; none: the directory is all."""

    root: Path
    s3: S3Place | None = None


class Bodies(BodyReader, Protocol):
    def close(self) -> None:
        """Let go of files and connections. Reads that run go on."""


def open_journal(place: JournalPlace, writer: str, clock: Clock | None = None) -> Journal:
    """A writer for the service of that name. Nothing is opened before its first append."""
    if place.s3 is None:
        from .packs import PackJournal

        return PackJournal(place.root, writer, clock)
    from ..objects.s3 import Bucket
    from .s3.journal import BucketJournal

    # Both lanes' PUTs, each perhaps with one that hangs, and listing.
    return BucketJournal(place.root, writer, Bucket(place.s3, connections=2 * place.s3.puts + 2), place.s3, clock)


def open_bodies(place: JournalPlace) -> Bodies:
    """What reads them."""
    if place.s3 is None:
        from .bodies import LocalBodies

        return LocalBodies(place.root)
    from ..objects.s3 import Bucket
    from .s3.bodies import READERS, BucketBodies

    bucket = Bucket(place.s3, connections=READERS)
    return BucketBodies(bucket, place.s3.cache, close=bucket.close)


def open_keeper(place: JournalPlace, clock: Clock) -> PackKeeper:
    """What looks after packs that are written."""
    if place.s3 is None:
        return LocalKeeper(place.root, clock)
    from ..objects.s3 import Bucket
    from .s3.keeper import AT_ONCE, BucketKeeper

    return BucketKeeper(Bucket(place.s3, connections=AT_ONCE), place.s3.put_seconds, place.s3.put_margin)
