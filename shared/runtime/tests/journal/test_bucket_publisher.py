"""The publisher follows a journal in a bucket as it follows one on a disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_STREAM, AcceptedBatch
from barid_runtime.bus.nats import NatsBus
from barid_runtime.bus.port import Stream
from barid_runtime.journal.publisher import Publisher
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket

from .bucket_rig import append, local_packs, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest_asyncio.fixture
async def stream(bus: NatsBus) -> AsyncIterator[None]:
    await bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    yield


async def told(bus: NatsBus) -> list[str]:
    consumer = await bus.consumer(ACCEPTED_STREAM, durable="all", subject=ACCEPTED_LOCAL.subject)
    names: list[str] = []
    while deliveries := await consumer.fetch(50, 0.2):
        for delivery in deliveries:
            names += [mail.mail_id for mail in AcceptedBatch.model_validate_json(delivery.payload).mails]
            await delivery.ack()
    return names


@pytest.mark.parametrize("memory", [0, 1 << 20])
async def test_what_is_sent_is_told_and_its_copy_kept(
    bus: NatsBus, stream: None, root: Path, s3_place: S3Place, memory: int
) -> None:
    journal = BucketJournal(root, "ingress", Bucket(s3_place), s3_place)
    publisher = Publisher(journal, bus, memory=memory)
    await publisher.start()
    names = [name for name, _ in await asyncio.gather(*[append(journal, 700, n) for n in range(300)])]
    await append(journal, 700, accounts=0)  # owed to nobody
    await publisher.idle()
    assert sorted(await told(bus)) == sorted(names)
    await until(lambda: not local_packs(root))
    assert local_packs(root, "*/kept/*.pack")
    await journal.close()
    await publisher.close()


async def test_what_a_dead_writer_did_not_tell_is_told_by_the_next(
    bus: NatsBus, stream: None, root: Path, s3_place: S3Place
) -> None:
    dead = BucketJournal(root, "ingress", Bucket(s3_place), s3_place)
    names = [name for name, _ in await asyncio.gather(*[append(dead, 700, n) for n in range(20)])]
    await dead.close()  # nobody had followed it
    heir = BucketJournal(root, "ingress", Bucket(s3_place), s3_place)
    publisher = Publisher(heir, bus)
    await publisher.start()
    await until(lambda: publisher.published == 20)
    assert sorted(await told(bus)) == sorted(names)
    await until(lambda: not local_packs(root))
    await heir.close()
    await publisher.close()
    another = BucketJournal(root, "ingress", Bucket(s3_place), s3_place)
    assert another.inherit() == []
    await another.close()
