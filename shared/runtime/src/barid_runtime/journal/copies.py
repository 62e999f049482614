"""A journal to be copied from or into (`.copying`), wherever it stands."""

from .copying import JournalSource, JournalTarget, LocalSource, LocalTarget
from .door import JournalPlace


def open_source(place: JournalPlace) -> JournalSource:
    if place.s3 is None:
        return LocalSource(place.root)
    from .s3.copying import BucketSource

    return BucketSource(place.s3)


def open_target(place: JournalPlace) -> JournalTarget:
    if place.s3 is None:
        return LocalTarget(place.root)
    from .s3.copying import BucketTarget

    return BucketTarget(place.s3)
