"""What the journal in a bucket does when the store fails, hangs, forgets, or the process dies."""

import asyncio
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_runtime.journal.door import JournalPlace, open_bodies
from barid_runtime.journal.port import (
    OBJECT_ABOVE,
    SPOOL_ABOVE,
    BodyCorrupt,
    BodyMissing,
    BodyUnavailable,
    JournalFailed,
    JournalFull,
)
from barid_runtime.journal.s3 import aborts, copies, keys
from barid_runtime.journal.s3 import journal as of_journal
from barid_runtime.journal.s3.bodies import RETURNS, BucketBodies
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.port import ObjectsRefused
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.faulty_device import BROKEN, FULL, FaultyDevice
from barid_testing.faulty_s3 import FaultyS3
from barid_testing.fixtures import ManualClock

from .bucket_rig import aborted_in, append, local_packs, packs_in, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def place(s3_place: S3Place, faulty_s3: FaultyS3) -> S3Place:
    return dataclasses.replace(s3_place, url=f"http://127.0.0.1:{faulty_s3.port}", put_seconds=1.5)


@pytest.fixture
def store(s3_place: S3Place) -> Iterator[Bucket]:
    """The same bucket, not through the proxy."""
    bucket = Bucket(s3_place)
    yield bucket
    bucket.close()


@pytest.fixture
def device() -> FaultyDevice:
    return FaultyDevice()


@pytest_asyncio.fixture
async def journal(root: Path, place: S3Place, device: FaultyDevice) -> AsyncIterator[BucketJournal]:
    journal = BucketJournal(root, "ingress", Bucket(place), place, device=device)
    yield journal
    device.fail.clear()
    await journal.close()


async def read(place: S3Place, root: Path, ref: object) -> bytes:
    bodies = open_bodies(JournalPlace(root, place))
    try:
        return await bodies.read(ref)  # type: ignore[arg-type]
    finally:
        bodies.close()


async def test_what_waits_goes_as_one_put(journal: BucketJournal, faulty_s3: FaultyS3, store: Bucket) -> None:
    refs = await asyncio.gather(*[append(journal, 2000, n) for n in range(100)])
    assert faulty_s3.counts["PUT"] == 1
    assert {ref.pack for _, ref in refs} == set(packs_in(store))


async def test_a_full_pack_does_not_wait_for_its_window(root: Path, place: S3Place) -> None:
    slow = dataclasses.replace(place, window=10.0, pack_bytes=64 * 1024)
    journal = BucketJournal(root, "ingress", Bucket(slow), slow)
    async with asyncio.timeout(5):
        await append(journal, 70_000)
    last = asyncio.create_task(append(journal, 100))
    await asyncio.sleep(0.1)
    assert not last.done()
    await journal.close()  # and a stop doesn't either
    await last


async def test_a_put_that_fails_is_tried_again_under_the_same_key(
    journal: BucketJournal, faulty_s3: FaultyS3, store: Bucket, s3_place: S3Place, root: Path
) -> None:
    answers: Iterator[int | str | None] = itertools.chain([500, "drop", 503], itertools.repeat(None))
    faulty_s3.fault = lambda method, path: next(answers) if method == "PUT" else None
    _, ref = await append(journal)
    tried = [path for method, path in faulty_s3.requests if method == "PUT"]
    assert len(tried) == 4
    assert len(set(tried)) == 1
    assert packs_in(store) == [ref.pack]
    assert not aborted_in(store)
    assert not journal.problem
    assert await read(s3_place, root, ref) == body_of(1000)


async def test_a_put_that_stays_away_is_refused_and_named(
    journal: BucketJournal, faulty_s3: FaultyS3, store: Bucket, root: Path
) -> None:
    """Even one whose object was stored, its answer lost each time."""
    faulty_s3.fault = lambda method, path: "drop" if "/packs/" in path else None
    started = time.monotonic()
    with pytest.raises(JournalFailed):
        await append(journal)
    assert 1.0 < time.monotonic() - started < 4.0
    assert journal.problem
    (named,) = aborted_in(store)
    assert not local_packs(root)
    faulty_s3.fault = lambda method, path: None
    _, ref = await append(journal)
    assert ref.pack != named
    assert not journal.problem
    assert set(packs_in(store)) == {named, ref.pack}, "others may have delivered it: it goes when nothing refers to it"


@pytest.mark.parametrize("copy_goes", [True, False])
async def test_a_refused_pack_that_the_local_list_can_not_name_does_not_come_back(
    root: Path, place: S3Place, faulty_s3: FaultyS3, store: Bucket, monkeypatch: pytest.MonkeyPatch, copy_goes: bool
) -> None:
    """The disk is full, or can't be written to at all; the mark in the bucket is there."""

    def full(*arguments: object) -> None:
        raise OSError(FULL, "full")

    monkeypatch.setattr(of_journal, "add_aborted", full)
    if not copy_goes:
        monkeypatch.setattr(copies.Copies, "drop", full)
    journal = BucketJournal(root, "ingress", Bucket(place), place)
    faulty_s3.fault = lambda method, path: 503 if "/packs/" in path else None
    with pytest.raises(JournalFailed):
        await append(journal)
    assert len(local_packs(root)) == (0 if copy_goes else 1)
    assert len(aborted_in(store)) == 1
    await journal.close()
    faulty_s3.fault = lambda method, path: None
    heir = BucketJournal(root, "ingress", Bucket(place), place)
    assert not [each for found in heir.inherit() for each in found.unpublished]
    assert not packs_in(store)
    assert not local_packs(root)
    await heir.close()


async def test_the_mark_of_a_refused_pack_is_written_when_the_store_is_back(
    journal: BucketJournal, faulty_s3: FaultyS3, store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aborts, "AGAIN", 0.1)
    faulty_s3.fault = lambda method, path: 503
    with pytest.raises(JournalFailed):
        await append(journal)
    assert not aborted_in(store)
    faulty_s3.fault = lambda method, path: None
    await until(lambda: aborted_in(store))


async def test_a_mark_that_was_not_written_is_written_by_the_next_incarnation(
    root: Path, place: S3Place, faulty_s3: FaultyS3, store: Bucket
) -> None:
    journal = BucketJournal(root, "ingress", Bucket(place), place)
    faulty_s3.fault = lambda method, path: 503
    with pytest.raises(JournalFailed):
        await append(journal)
    await journal.close()
    faulty_s3.fault = lambda method, path: None
    heir = BucketJournal(root, "ingress", Bucket(place), place)
    assert not heir.inherit()
    assert len(aborted_in(store)) == 1
    await heir.close()
    assert not list(root.glob("ingress.*"))


async def test_one_pack_that_hangs_holds_up_no_other(journal: BucketJournal, faulty_s3: FaultyS3) -> None:
    faulty_s3.hang_seconds = 1.0
    hanging = iter(["late"])
    faulty_s3.fault = lambda method, path: next(hanging, None)
    first = asyncio.create_task(append(journal))
    await asyncio.sleep(0.1)
    await append(journal)
    assert not first.done()
    await first


@pytest.mark.parametrize(("error", "refusal"), [(FULL, JournalFull), (BROKEN, JournalFailed)])
async def test_a_copy_that_can_not_be_written_refuses_the_mail(
    journal: BucketJournal, device: FaultyDevice, store: Bucket, error: int, refusal: type[Exception]
) -> None:
    await append(journal)
    device.fail["write_durably"] = error
    with pytest.raises(refusal):
        await append(journal)
    device.fail.clear()
    await append(journal)
    await until(lambda: len(aborted_in(store)) == 1)


@pytest.mark.parametrize("size", [1000, SPOOL_ABOVE + 1, OBJECT_ABOVE + 1])
async def test_what_the_store_lost_is_sent_again(
    journal: BucketJournal, store: Bucket, s3_place: S3Place, root: Path, size: int
) -> None:
    _, ref = await append(journal, size)
    key = keys.pack_key(ref.pack)
    assert key is not None
    store.delete([key])
    with pytest.raises(BodyUnavailable):  # for a copy may bring it back, as it does
        await read(s3_place, root, ref)
    await asyncio.to_thread(journal._copies.check, time.time() + copies.FIRST_CHECK + 1)
    assert await read(s3_place, root, ref) == body_of(size)


async def test_the_folder_of_kept_copies_is_synced_before_a_large_body_counts(
    journal: BucketJournal, device: FaultyDevice, root: Path
) -> None:
    await append(journal, OBJECT_ABOVE + 1)
    (kept,) = root.glob("*/kept")
    assert device.synced_folders.index(kept.parent) < device.synced_folders.index(kept)


async def test_copies_go_when_their_grace_is_over_and_the_bus_knows(
    journal: BucketJournal, store: Bucket, root: Path
) -> None:
    _, told = await append(journal)
    _, untold = await append(journal)
    journal.cursors.finish(told.pack, 64, 1 << 40)
    assert local_packs(root) == [untold.pack]
    assert local_packs(root, "*/kept/*.pack") == [told.pack]
    journal._copies.check(time.time() + journal._copies.keep + 1)
    assert local_packs(root) == [untold.pack]
    assert not local_packs(root, "*/kept/*.pack")
    assert set(packs_in(store)) == {told.pack, untold.pack}


async def test_a_pack_that_was_deleted_on_purpose_is_not_brought_back(
    journal: BucketJournal, store: Bucket, root: Path
) -> None:
    from barid_runtime.journal.s3.closed import write_closed

    _, ref = await append(journal)
    journal.cursors.finish(ref.pack, 64, 1 << 40)
    folder = ref.pack.partition("/")[0]
    write_closed(store, folder, {ref.pack}, all_of_them=False)
    key = keys.pack_key(ref.pack)
    assert key is not None
    store.delete([key])
    journal._copies.check(time.time() + journal._copies.keep + 1)
    assert not packs_in(store)
    assert not local_packs(root, "*/kept/*.pack")


async def test_reading_tries_again_then_says_that_it_is_for_now(
    journal: BucketJournal, faulty_s3: FaultyS3, place: S3Place, root: Path
) -> None:
    _, ref = await append(journal)
    answers: Iterator[int | None] = itertools.chain([500, 503], itertools.repeat(None))
    faulty_s3.fault = lambda method, path: next(answers)
    assert await read(place, root, ref) == body_of(1000)
    faulty_s3.fault = lambda method, path: 500
    with pytest.raises(BodyUnavailable, match="500"):
        await read(place, root, ref)
    faulty_s3.fault = lambda method, path: 404
    with pytest.raises(BodyUnavailable):
        await read(place, root, ref)
    bodies = BucketBodies(Bucket(place), 0, ManualClock(time.time() + RETURNS))
    with pytest.raises(BodyMissing):
        await bodies.read(ref)
    bodies.close()


async def test_neighbours_are_read_with_one_request(
    journal: BucketJournal, faulty_s3: FaultyS3, place: S3Place, root: Path
) -> None:
    refs = [ref for _, ref in await asyncio.gather(*[append(journal, 2000, n) for n in range(20)])]
    bodies = open_bodies(JournalPlace(root, place))
    got = await asyncio.gather(*[bodies.read(ref) for ref in refs])
    bodies.close()
    assert got == [body_of(2000, n) for n in range(20)]
    assert faulty_s3.counts["GET"] == 1


async def test_what_was_spoilt_on_its_way_is_asked_for_again(
    journal: BucketJournal, s3_place: S3Place, root: Path
) -> None:
    _, ref = await append(journal)
    spoilt = [True, False]

    class Spoiling(Bucket):
        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            data = super().get(key, offset, length)
            return data[:-200] + bytes(200) if spoilt and spoilt.pop(0) else data

    bodies = BucketBodies(Spoiling(s3_place), 1 << 20)
    # The pack's last 200 bytes are the footer and the end of the body.
    assert await bodies.read(ref) == body_of(1000)
    spoilt[:] = [True, True]
    bodies.blocks.clear()
    with pytest.raises(BodyCorrupt):
        await bodies.read(ref)
    bodies.close()


async def test_a_bucket_that_is_not_there_is_made(root: Path, place: S3Place) -> None:
    new = dataclasses.replace(place, bucket=f"{place.bucket}-new")
    first, second = (BucketJournal(root, "ingress", Bucket(new), new) for _ in range(2))
    await asyncio.gather(append(first), append(second, OBJECT_ABOVE + 1))  # as two replicas would
    for journal in (first, second):
        await journal.close()
    assert Bucket(new).folders("") == ["objects/", "packs/"]


async def test_a_bucket_that_we_may_not_make_is_said_in_one_line(
    root: Path, place: S3Place, faulty_s3: FaultyS3
) -> None:
    new = dataclasses.replace(place, bucket=f"{place.bucket}-new", put_seconds=1.0)
    faulty_s3.fault = lambda method, path: 403 if (method, path.strip("/")) == ("PUT", new.bucket) else None
    journal = BucketJournal(root, "ingress", Bucket(new), new)
    with pytest.raises(JournalFailed, match="no such bucket; make it, or correct BARID_S3_BUCKET"):
        await append(journal)
    assert "\n" not in journal.problem
    await journal.close()


async def test_a_start_ends_where_the_store_refuses_us_and_goes_on_where_it_is_away(
    root: Path, place: S3Place, faulty_s3: FaultyS3, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = dataclasses.replace(place, secret_key="hush")
    journal = BucketJournal(root, "ingress", Bucket(wrong), wrong)
    with pytest.raises(ObjectsRefused, match="look at BARID_S3_ACCESS_KEY") as refused:
        await journal.probe()
    assert "hush" not in str(refused.value)
    await journal.close()

    faulty_s3.fault = lambda method, path: 503
    journal = BucketJournal(root, "ingress", Bucket(place), place)
    await journal.probe()
    assert "no store yet: mail is refused for now" in capsys.readouterr().out
    faulty_s3.fault = lambda method, path: None
    await append(journal)
    await journal.close()


async def test_a_bucket_that_was_there_is_not_made_anew(
    journal: BucketJournal, store: Bucket, faulty_s3: FaultyS3, place: S3Place
) -> None:
    await append(journal)
    store.delete([each.key for each in store.below("")])
    store._client.remove_bucket(place.bucket)
    with pytest.raises(JournalFailed, match="no such bucket"):
        await append(journal)
    assert ("PUT", place.bucket) not in [(method, path.strip("/")) for method, path in faulty_s3.requests]


WRITER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from barid_runtime.journal.s3.journal import BucketJournal
    from barid_runtime.objects.place import S3Place
    from barid_runtime.objects.s3 import Bucket
    from barid_testing.contracts.journal import body_of, mail_of

    async def main():
        url, bucket, access, secret, root = sys.argv[1:]
        place = S3Place(url, bucket, access, secret, window=0.005)
        journal = BucketJournal(Path(root), "ingress", Bucket(place), place)

        async def one(n):
            mail = mail_of(3000)
            await journal.append(mail, body_of(3000, n))
            print(mail.mail_id, flush=True)

        n = 0
        while True:
            await asyncio.gather(*[one(n + k) for k in range(10)])
            n += 10

    asyncio.run(main())
""")


def start_writer(place: S3Place, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, place.url, place.bucket, place.access_key, place.secret_key, str(root)],
        stdout=subprocess.PIPE,
        text=True,
    )


def names_of(store: Bucket) -> list[str]:
    from barid_runtime.journal import scan

    found = []
    for name in packs_in(store):
        key = keys.pack_key(name)
        assert key is not None
        found += [each.lead.mail_id for each in scan.walk_data(store.get(key)) if isinstance(each, scan.Found)]
    return found


@pytest.mark.parametrize("fault", [None, "drop", "late", 503])
async def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    root: Path, place: S3Place, faulty_s3: FaultyS3, store: Bucket, fault: str | int | None
) -> None:
    """Killed while PUTs are on their way, stored and not answered, answered late, refused."""
    puts = itertools.count()
    faulty_s3.hang_seconds = 0.3
    faulty_s3.fault = lambda method, path: fault if method == "PUT" and next(puts) % 3 == 2 else None
    writer = start_writer(place, root)
    assert writer.stdout is not None
    acknowledged: list[str] = []
    while len(acknowledged) < 60:
        line = (await asyncio.to_thread(writer.stdout.readline)).strip()
        acknowledged += [line] if len(line) == 26 else []  # the rest is its log
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [line for line in writer.stdout.read().split("\n") if len(line) == 26]
    writer.wait()
    writer.stdout.close()
    faulty_s3.fault = lambda method, path: None
    # The store loses what it acknowledged last.
    lost = packs_in(store)[-1]
    store.delete([f"{keys.folder_prefix(lost.partition('/')[0])}{lost.partition('/')[2]}"])
    heir = BucketJournal(root, "ingress", Bucket(place), place)
    found = heir.inherit()
    stretches = [each for inheritance in found for each in inheritance.unpublished]
    published: list[str] = []
    for stretch in stretches:
        mails, onward = heir.read_slice(stretch.pack, stretch.start, stretch.end)
        published += [mail.mail_id for mail in mails]
        assert onward == stretch.end
    assert not set(acknowledged) - set(published)
    assert len(published) == len(set(published))
    assert not set(acknowledged) - set(names_of(store))
    await heir.close()


async def test_a_copy_that_was_not_written_to_its_end_goes(root: Path, place: S3Place, store: Bucket) -> None:
    journal = BucketJournal(root, "ingress", Bucket(place), place)
    _, first = await append(journal)
    _, second = await append(journal)
    _, third = await append(journal)
    await journal.close()
    for ref, cut in ((first, -1), (second, 300)):
        path = root / ref.pack
        data = path.read_bytes()
        path.write_bytes(data[:cut] if cut < 0 else data[:cut] + bytes(100) + data[cut + 100 :])
    key = keys.pack_key(second.pack)
    assert key is not None
    store.delete([key])
    heir = BucketJournal(root, "ingress", Bucket(place), place)
    (found,) = heir.inherit()
    assert [each.pack for each in found.unpublished] == [third.pack]
    assert len(found.notes) == 2
    assert set(packs_in(store)) == {first.pack, third.pack}  # what stands there may have been acknowledged
    await heir.close()


async def test_without_copies_a_crash_leaves_all_in_the_bucket(root: Path, place: S3Place, store: Bucket) -> None:
    bare = dataclasses.replace(place, keep=0.0)
    journal = BucketJournal(root, "ingress", Bucket(bare), bare)
    names = [name for name, _ in await asyncio.gather(*[append(journal, 500, n) for n in range(30)])]
    _, large = await append(journal, OBJECT_ABOVE + 1)
    assert not local_packs(root)
    assert not list(root.glob("*/spool/*"))
    assert set(names) < set(names_of(store))
    assert store.size(large.pack)
    await journal.close()
    assert not list(root.iterdir())


async def test_a_writer_begins_a_new_folder_every_hour(
    root: Path, place: S3Place, manual_clock: object, store: Bucket
) -> None:
    journal = BucketJournal(root, "ingress", Bucket(place), place, manual_clock)  # type: ignore[arg-type]
    _, first = await append(journal)
    manual_clock._now += 3600  # type: ignore[attr-defined]
    _, second = await append(journal)
    assert first.pack.partition("/")[0] != second.pack.partition("/")[0]
    assert len(mail_of(1).mail_id) == 26
    await journal.close()
