"""A journal copied while it is written to, and put elsewhere."""

import dataclasses
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts.mail import BodyRef
from barid_runtime.clock import SystemClock
from barid_runtime.journal import scan
from barid_runtime.journal.copies import open_source, open_target
from barid_runtime.journal.copying import JournalSource, LocalSource, Stored
from barid_runtime.journal.door import JournalPlace, open_bodies, open_keeper
from barid_runtime.journal.folder import add_aborted
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.port import OBJECT_ABOVE
from barid_runtime.journal.s3 import keys
from barid_runtime.journal.s3.aborts import mark
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.port import ObjectsRefused
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of

from .bucket_rig import append


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest_asyncio.fixture
async def journal(root: Path) -> AsyncIterator[PackJournal]:
    journal = PackJournal(root, "ingress")
    yield journal
    await journal.close()


def copied(source: JournalSource, stored: Stored) -> bytes:
    target = io.BytesIO()
    digest = source.copy(stored, target)
    assert digest == hashlib.sha256(target.getvalue()).hexdigest()
    return target.getvalue()


def put_into(place: JournalPlace, source: JournalSource, closed: tuple[str, ...] = ()) -> None:
    target = open_target(place)
    names = []
    for stored in [*source.packs(), *source.large_bodies()]:
        data = copied(source, stored)
        target.put(stored.name, io.BytesIO(data), len(data))
        names.append(stored.name)
    target.finish(names, closed)
    assert {each.name for each in target.names()} == set(names)
    target.close()


async def test_a_pack_that_is_written_is_copied_up_to_its_last_whole_record(
    journal: PackJournal, root: Path, tmp_path: Path
) -> None:
    first, ref = await append(journal, 1000)
    refused, _ = await append(journal, 1000)
    last, _ = await append(journal, 2000)
    pack = root / ref.pack
    add_aborted(pack.parent, pack.name, [(e.offset, e.mail_id) for e in scan.index(pack) if e.mail_id == refused])
    (stored,) = LocalSource(root).packs()
    assert stored.cut
    assert stored.name == ref.pack
    # Half a record behind the others, as another process meets it while it is written.
    end = max(entry.offset + entry.lead + entry.size for entry in scan.index(pack))
    whole = pack.read_bytes()[:end]
    begin = next(entry.offset for entry in scan.index(pack) if entry.mail_id == last)
    pack.write_bytes(whole + whole[begin : begin + 900])
    copy = tmp_path / "copy" / "ingress.x" / pack.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(copied(LocalSource(root), stored))
    assert scan.trailer_of(copy) is not None
    assert [entry.mail_id for entry in scan.index(copy)] == [first, last]
    # A record torn in its body is not whole either.
    pack.write_bytes(whole[: end - 100])
    copy.write_bytes(copied(LocalSource(root), stored))
    assert [entry.mail_id for entry in scan.index(copy)] == [first]


async def test_what_holds_nothing_whole_is_no_copy(journal: PackJournal, root: Path) -> None:
    _, ref = await append(journal)
    pack = root / ref.pack
    pack.write_bytes(pack.read_bytes()[:80])
    (stored,) = LocalSource(root).packs()
    assert LocalSource(root).copy(stored, io.BytesIO()) is None
    pack.unlink()
    assert LocalSource(root).copy(stored, io.BytesIO()) is None


def test_who_saves_a_bucket_never_makes_one(tmp_path: Path, s3_place: S3Place) -> None:
    other = dataclasses.replace(s3_place, bucket=f"{s3_place.bucket}-misspelt")
    for _ in range(2):
        source = open_source(JournalPlace(tmp_path / "none", other))
        with pytest.raises(ObjectsRefused, match="there is no such bucket"):
            list(source.packs())
        source.close()


async def test_from_a_folder_into_a_bucket_and_back(
    journal: PackJournal, root: Path, tmp_path: Path, s3_place: S3Place
) -> None:
    mails: dict[str, tuple[BodyRef, int]] = {}
    for seed, size in enumerate((100, 300_000, OBJECT_ABOVE + 1)):
        mail_id, ref = await append(journal, size, seed, accounts=1)
        mails[mail_id] = ref, size
    await journal.close()
    bucket = JournalPlace(tmp_path / "none", s3_place)
    put_into(bucket, open_source(JournalPlace(root)))
    again = JournalPlace(tmp_path / "again")
    source = open_source(bucket)
    put_into(again, source)
    source.close()
    for place in (bucket, again):
        bodies = open_bodies(place)
        for seed, (ref, size) in enumerate(mails.values()):
            assert b"".join([chunk async for chunk in bodies.stream(ref)]) == body_of(size, seed)
        bodies.close()
    assert {e.mail_id for p in LocalSource(again.root).packs() for e in scan.index(again.root / p.name)} == set(mails)


async def test_closed_is_what_the_tables_say(
    journal: PackJournal, root: Path, s3_place: S3Place, tmp_path: Path
) -> None:
    """Whatever the journal itself says: it may be younger than the tables."""
    _, ref = await append(journal, accounts=1)
    await journal.close()
    (root / ref.pack).with_suffix(".closed").touch()
    local = JournalPlace(root)
    target = open_target(local)
    target.finish([ref.pack], [])
    (state,) = await open_keeper(local, SystemClock()).states()
    assert (state.name, state.complete) == (ref.pack, True)
    target.finish([ref.pack], [ref.pack])
    assert await open_keeper(local, SystemClock()).states() == []
    store = Bucket(s3_place)
    place = JournalPlace(tmp_path / "none", s3_place)
    put_into(place, LocalSource(root))
    folder = ref.pack.partition("/")[0]
    store.put(f"{keys.closed_prefix(folder)}{keys.ALL}", b"000001.pack\n")
    open_target(place).finish([ref.pack], [])
    assert [each.key.rpartition("/")[2] for each in store.below(keys.CLOSED)] == [keys.SOME]
    assert store.get(f"{keys.closed_prefix(folder)}{keys.SOME}").strip() == b""
    # A pack that was refused with 451 is none.
    mark(store, ref.pack)
    store.put(keys.pack_key(ref.pack) or "", b"arrived late")
    assert list(open_source(place).packs()) == []
    store.close()
