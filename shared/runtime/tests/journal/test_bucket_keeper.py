"""Packs in a bucket, once they are written: found by listing, closed, deleted."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from barid_runtime.ids import new_mail_id
from barid_runtime.journal import folder
from barid_runtime.journal.port import OBJECT_ABOVE, BodyUnavailable, JournalFailed
from barid_runtime.journal.s3 import closed, keys, listing
from barid_runtime.journal.s3.aborts import mark
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.journal.s3.keeper import ABORTED_KEPT, DELETE_AGE, BucketKeeper
from barid_runtime.objects.place import PUT_MARGIN, S3Place
from barid_runtime.objects.port import Listed
from barid_runtime.objects.s3 import Bucket
from barid_testing.faulty_s3 import FaultyS3
from barid_testing.fixtures import ManualClock

from .bucket_rig import BucketOfTime, aborted_in, append, packs_in

PUT_SECONDS = 1.0
OLD = PUT_SECONDS + PUT_MARGIN + 1
DAY = 86_400.0


class OfAge(Bucket):
    """All in it was put OLD seconds earlier than it was."""

    def below(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        for each in super().below(prefix, after=after):
            yield dataclasses.replace(each, modified=each.modified - OLD)


@pytest.fixture
def place(s3_place: S3Place, faulty_s3: FaultyS3) -> S3Place:
    return dataclasses.replace(s3_place, url=f"http://127.0.0.1:{faulty_s3.port}", put_seconds=PUT_SECONDS)


@pytest.fixture
def store(place: S3Place, clock: ManualClock) -> Iterator[Bucket]:
    bucket = BucketOfTime(place, clock)
    yield bucket
    bucket.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time() + OLD)


@pytest.fixture
def keeper(store: Bucket) -> BucketKeeper:
    return BucketKeeper(store, PUT_SECONDS)


@pytest_asyncio.fixture
async def journal(tmp_path: Path, store: Bucket, place: S3Place) -> AsyncIterator[BucketJournal]:
    journal = BucketJournal(tmp_path / "journal", "ingress", store, place)
    yield journal
    await journal.close()


async def nobody(names: Sequence[str]) -> set[str]:
    return set()


async def everybody(names: Sequence[str]) -> set[str]:
    return set(names)


async def test_packs_of_a_vanished_writer_are_found_by_listing(keeper: BucketKeeper, journal: BucketJournal) -> None:
    names = [name for name, _ in await asyncio.gather(*[append(journal, 300, n, remotes=1) for n in range(5)])]
    (pack,) = [state.name for state in await keeper.states()]
    entries = await keeper.entries(pack)
    assert [entry.mail_id for entry in entries] == names
    assert all(entry.accounts == (0,) and entry.remotes == (1,) for entry in entries)
    for some in (entries, entries[1:2]):
        mails = await keeper.load(pack, some)
        assert [mail.mail_id for mail in mails] == [entry.mail_id for entry in some]
        assert all(mail.ref is not None and mail.ref.pack == pack for mail in mails)
    again = await keeper.load_again(pack, entries[3].offset)
    assert again is not None and again.mail_id == names[3]
    assert await keeper.load_again(pack, 7) is None
    assert await keeper.named(new_mail_id(time.time() + 5)) == set(names)
    assert await keeper.named(names[0]) == set()
    found = await keeper.find(names[2], time.time())
    assert found is not None and found.mail_id == names[2]
    assert await keeper.find(new_mail_id(time.time()), time.time()) is None


async def test_what_may_still_be_refused_is_left_alone(
    keeper: BucketKeeper, journal: BucketJournal, clock: ManualClock
) -> None:
    await append(journal)
    clock._now -= OLD
    assert await keeper.states() == []


async def test_a_refused_pack_does_not_count_wherever_it_stands(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket, faulty_s3: FaultyS3, clock: ManualClock
) -> None:
    """Its PUT arrives after it was refused, marked and deleted."""
    faulty_s3.fault = lambda method, path: 503 if "/packs/" in path else None
    with pytest.raises(JournalFailed):
        await append(journal)
    faulty_s3.fault = lambda method, path: None
    (marked,) = aborted_in(store)
    key = keys.pack_key(marked)
    assert key is not None
    store.put(key, b"late")
    assert await keeper.states() == []
    clock._now += ABORTED_KEPT
    assert await keeper.collect(nobody, 0.0) == []
    assert not packs_in(store)
    assert not aborted_in(store)


async def test_a_refused_pack_that_was_delivered_all_the_same_stays(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its writer stood still over a PUT whose answer was lost, and marks it when the reconciler has delivered it."""
    _, ref = await append(journal)
    assert [state.name for state in await keeper.states()] == [ref.pack]
    mark(store, ref.pack)
    assert packs_in(store) == [ref.pack]
    assert await keeper.still_open([ref.pack]) == set()
    clock._now += ABORTED_KEPT + 1
    await keeper.collect(everybody, 0.0)
    await keeper.collect(everybody, 0.0)
    assert packs_in(store) == aborted_in(store) == [ref.pack]
    assert capsys.readouterr().out.count("journal_refused_pack_delivered") == 1
    await keeper.collect(nobody, 0.0)
    assert packs_in(store) == aborted_in(store) == []


async def test_closed_packs_are_listed_once_a_round_and_known_after_a_restart(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket, clock: ManualClock, faulty_s3: FaultyS3
) -> None:
    refs = [(await append(journal))[1] for _ in range(4)]
    names = [ref.pack for ref in refs]
    assert [state.name for state in await keeper.states()] == names
    assert await keeper.still_open(names) == set(names)
    before = faulty_s3.counts["PUT"]
    for name in names[:3]:
        await keeper.close(name)
    assert [state.name for state in await keeper.states()] == names[3:]
    assert faulty_s3.counts["PUT"] == before + 1
    other = BucketKeeper(store, PUT_SECONDS)
    assert [state.name for state in await other.states()] == names[3:]
    assert await other.still_open([*names, "ingress.00000000000000000000000000/000001.pack", "../x"]) == {names[3]}


async def test_an_hour_that_is_done_with_is_not_listed_again(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket, clock: ManualClock, faulty_s3: FaultyS3
) -> None:
    _, ref = await append(journal)
    await keeper.close(ref.pack)
    await keeper.states()
    clock._now += listing.LATE + 3600
    assert await keeper.states() == []
    writer = ref.pack.partition("/")[0]
    assert store.size(f"{keys.closed_prefix(writer)}{keys.ALL}")
    assert await keeper.still_open([ref.pack]) == set()
    other = BucketKeeper(store, PUT_SECONDS)
    await other.states()
    faulty_s3.requests.clear()
    await other.states()
    assert not [path for _, path in faulty_s3.requests if writer in path]
    # A writer that comes back after long has another pack of that hour.
    closed.reopen(store, writer)
    key = keys.pack_key(f"{writer}/000002.pack")
    assert key is not None
    original = keys.pack_key(ref.pack)
    assert original is not None
    store.put(key, store.get(original))
    clock._now += listing.LOOK_AGAIN + 1
    assert [state.name for state in await other.states()] == [f"{writer}/000002.pack"]


@pytest.mark.parametrize("ahead", [DAY, -DAY])
async def test_a_folder_in_use_is_not_done_with_whatever_the_clocks_say(
    tmp_path: Path, place: S3Place, store: Bucket, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """The mailstore's clock is a day ahead, or the writer's a day behind."""
    writers, keepers = time.time() + min(ahead, 0), time.time() + max(ahead, 0)
    monkeypatch.setattr(folder, "new_id", lambda: new_mail_id(writers))
    journal = BucketJournal(tmp_path / "journal", "ingress", store, place, ManualClock(writers))
    try:
        _, first = await append(journal)
        monkeypatch.setattr(time, "time", lambda: keepers)
        keeper = BucketKeeper(OfAge(place), PUT_SECONDS)
        await keeper.close(first.pack)
        assert await keeper.states() == []
        _, second = await append(journal)
        assert first.pack.partition("/")[0] == second.pack.partition("/")[0]
        assert [state.name for state in await keeper.states()] == [second.pack]
    finally:
        await journal.close()


async def test_a_large_body_whose_pack_is_on_its_way_stays_whatever_our_clock_says(
    place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Bucket(place)
    key = f"{keys.OBJECTS}{new_mail_id(time.time())}"
    store.put(key, b"body")
    ahead = time.time() + DAY
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert await BucketKeeper(store, PUT_SECONDS).collect(nobody, 0.0) == []
    assert store.size(key)


async def test_only_what_is_closed_and_old_and_unreferenced_is_deleted(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket, clock: ManualClock
) -> None:
    _, first = await append(journal)
    _, second = await append(journal)
    _, large = await append(journal, OBJECT_ABOVE + 1)
    await keeper.states()
    await keeper.close(first.pack)
    assert await keeper.collect(nobody, 0.0) == []
    clock._now += DELETE_AGE
    assert await keeper.collect(everybody, 0.0) == []
    assert await keeper.collect(nobody, 0.0) == [first.pack]
    left = packs_in(store)
    assert second.pack in left and first.pack not in left
    assert store.size(large.pack), "a pack that isn't closed names it"
    for state in await keeper.states():
        await keeper.close(state.name)
    await keeper.states()
    clock._now += DELETE_AGE
    assert set(await keeper.collect(nobody, 0.0)) == {*left, large.pack}
    assert not packs_in(store)
    assert not store.size(large.pack)


async def test_a_store_that_is_away_says_so_and_nothing_is_taken_for_closed(
    keeper: BucketKeeper, faulty_s3: FaultyS3, journal: BucketJournal
) -> None:
    _, ref = await append(journal)
    faulty_s3.fault = lambda method, path: 503
    with pytest.raises(BodyUnavailable):
        await keeper.states()
    assert await keeper.still_open([ref.pack]) == {ref.pack}


async def test_a_damaged_footer_is_made_good_by_walking(
    keeper: BucketKeeper, journal: BucketJournal, store: Bucket
) -> None:
    name, ref = await append(journal)
    key = keys.pack_key(ref.pack)
    assert key is not None
    data = store.get(key)
    store.put(key, data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
    (state,) = await keeper.states()
    assert [entry.mail_id for entry in await keeper.entries(state.name)] == [name]
