"""What tests of a journal in a bucket share."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from barid_contracts.mail import BodyRef
from barid_runtime.clock import Clock
from barid_runtime.journal.followed import Journal
from barid_runtime.journal.s3 import keys
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.port import ObjectStore
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of, mail_of


class BucketOfTime(Bucket):
    """A store whose clock is moved by hand; what was put has its real time."""

    def __init__(self, place: S3Place, clock: Clock) -> None:
        super().__init__(place)
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()


async def append(journal: Journal, size: int = 1000, seed: int = 0, **owed: int) -> tuple[str, BodyRef]:
    """A mail of that size; spooled, as the ingress does it, where it is large."""
    mail, body = mail_of(size, **owed), body_of(size, seed)
    if size <= 256 * 1024:
        return mail.mail_id, await journal.append(mail, body)
    spool = journal.spool()
    await spool.write(body)
    return mail.mail_id, await journal.append(mail, spool)


def packs_in(store: ObjectStore) -> list[str]:
    return [name for each in store.below(keys.PACKS) if (name := keys.name_in(each.key))]


def aborted_in(store: ObjectStore) -> list[str]:
    return [name for each in store.below(keys.ABORTED) if (name := keys.name_in(each.key))]


def local_packs(root: Path, pattern: str = "*/*.pack") -> list[str]:
    return sorted(f"{path.relative_to(root).parts[0]}/{path.name}" for path in root.glob(pattern))


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
