"""BucketJournal and BucketBodies keep the contract of every journal, on a real S3 server."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts.mail import BodyRef
from barid_runtime.journal.door import Bodies, JournalPlace, open_bodies, open_journal
from barid_runtime.journal.followed import Journal
from barid_runtime.journal.s3.keys import pack_key
from barid_runtime.objects.embedded import EmbeddedS3
from barid_runtime.objects.place import S3Place
from barid_testing.contracts.journal import Damage, JournalContract


class TestBucket(JournalContract):
    @pytest.fixture
    def place(self, s3_place: S3Place, tmp_path: Path) -> JournalPlace:
        return JournalPlace(tmp_path / "journal", s3_place)

    @pytest_asyncio.fixture
    async def journal(self, place: JournalPlace) -> AsyncIterator[Journal]:
        journal = open_journal(place, "ingress")
        yield journal
        await journal.close()

    @pytest_asyncio.fixture
    async def bodies(self, place: JournalPlace) -> AsyncIterator[Bodies]:
        bodies = open_bodies(place)
        yield bodies
        bodies.close()

    @pytest.fixture
    def damage(self, s3_server: EmbeddedS3, s3_place: S3Place) -> Damage:
        async def flip(ref: BodyRef, at: int) -> None:
            key = pack_key(ref.pack)
            assert key is not None
            with open(s3_server.buckets / s3_place.bucket / key, "r+b") as file:
                file.seek(ref.offset + ref.head + at)
                byte = file.read(1)[0]
                file.seek(-1, 1)
                file.write(bytes([byte ^ 1]))

        return flip


class TestSmallPacks(TestBucket):
    """A pack for every few mails, one PUT at a time, no copies, no memory: nothing changes."""

    @pytest.fixture
    def place(self, s3_place: S3Place, tmp_path: Path) -> JournalPlace:
        small = dataclasses.replace(s3_place, pack_bytes=64 * 1024, puts=1, keep=0.0, cache=0)
        return JournalPlace(tmp_path / "journal", small)
