"""Both keepers of packs have the same duties."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from barid_runtime.journal import lifecycle
from barid_runtime.journal.folder import write_cursor
from barid_runtime.journal.keeper import LocalKeeper
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.journal.s3.keeper import DELETE_AGE, BucketKeeper
from barid_runtime.objects.place import PUT_MARGIN, S3Place
from barid_testing.contracts.keeper import KeeperContract
from barid_testing.fixtures import ManualClock

from .bucket_rig import BucketOfTime

YEAR = 365 * 86_400.0


class LocalShelf:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = ManualClock(time.time())
        self.keeper = LocalKeeper(root, self.clock)
        self.journal = PackJournal(root, "ingress")

    @property
    def now(self) -> float:
        return self.clock.now()

    async def settle(self) -> None:
        await self.journal.close()
        for pack in lifecycle.packs(self.root):
            assert pack.end is not None
            write_cursor(pack.path.parent, {pack.path.name: pack.end})

    def pass_years(self) -> None:
        self.clock._now += YEAR


class BucketShelf:
    def __init__(self, root: Path, place: S3Place) -> None:
        self.clock = ManualClock(time.time())
        self.store = BucketOfTime(place, self.clock)
        self.keeper = BucketKeeper(self.store, place.put_seconds)
        self.journal = BucketJournal(root, "ingress", self.store, place)
        self._age = place.put_seconds + PUT_MARGIN + 1

    @property
    def now(self) -> float:
        return self.clock.now()

    async def settle(self) -> None:
        await self.journal.close()
        self.clock._now += self._age

    def pass_years(self) -> None:
        self.clock._now += DELETE_AGE + 1


class TestLocalKeeper(KeeperContract):
    @pytest_asyncio.fixture
    async def shelf(self, tmp_path: Path) -> AsyncIterator[LocalShelf]:
        shelf = LocalShelf(tmp_path / "journal")
        yield shelf
        await shelf.journal.close()


class TestBucketKeeper(KeeperContract):
    @pytest_asyncio.fixture
    async def shelf(self, tmp_path: Path, s3_place: S3Place) -> AsyncIterator[BucketShelf]:
        shelf = BucketShelf(tmp_path / "journal", s3_place)
        yield shelf
        await shelf.journal.close()
        shelf.store.close()
