"""What the journal does when the disk is full, broken, slow, or the process dies."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_contracts.mail import BodyRef
from barid_runtime.journal import appending, footer, lane, packs, record, scan
from barid_runtime.journal.batch import Committed, Waiting
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.folder import aborted_of, packs_of, writer_folders
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.port import OBJECT_ABOVE, BodyCorrupt, JournalFailed, JournalFull
from barid_runtime.journal.recovery import inherit
from barid_runtime.journal.spool import SpoolFile
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.faulty_device import BROKEN, FULL, FaultyDevice
from barid_testing.fixtures import ManualClock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def device() -> FaultyDevice:
    return FaultyDevice()


@pytest_asyncio.fixture
async def journal(root: Path, device: FaultyDevice) -> AsyncIterator[PackJournal]:
    journal = PackJournal(root, "ingress", device=device)
    yield journal
    device.fail.clear()
    await journal.close()


@pytest_asyncio.fixture
async def bodies(root: Path) -> AsyncIterator[LocalBodies]:
    bodies = LocalBodies(root)
    yield bodies
    bodies.close()


def records_in(root: Path) -> list[str]:
    """Names of all records that count, in all packs."""
    return [entry.mail_id for folder in writer_folders(root) for path in packs_of(folder) for entry in scan.index(path)]


async def append(journal: PackJournal, body: bytes) -> tuple[str, BodyRef]:
    mail = mail_of(len(body))
    return mail.mail_id, await journal.append(mail, body)


async def test_appends_at_once_share_syncs(journal: PackJournal) -> None:
    await append(journal, b"first")
    before = journal.batches
    await asyncio.gather(*[append(journal, body_of(4096, n)) for n in range(200)])
    assert journal.batches - before <= 3


async def test_a_batch_is_bounded(journal: PackJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MAX_BATCH", 50_000)
    monkeypatch.setattr(lane, "MAX_QUEUED", 100_000)
    await asyncio.gather(*[append(journal, body_of(20_000, n)) for n in range(60)])
    assert journal.batches >= 30


async def test_a_cancelled_append_that_was_not_begun_leaves_nothing(journal: PackJournal, root: Path) -> None:
    await append(journal, b"first")
    mail = mail_of(3)
    task = asyncio.create_task(journal.append(mail, b"abc"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await append(journal, b"last")
    assert mail.mail_id not in records_in(root)


async def test_packs_are_sealed_when_they_are_full(root: Path) -> None:
    journal = PackJournal(root, "ingress", pack_size=20_000)
    names = [(await append(journal, body_of(4096, n)))[0] for n in range(10)]
    await journal.close()
    (folder,) = writer_folders(root)
    paths = list(packs_of(folder))
    assert len(paths) >= 3
    for path in paths:
        trailer = scan.trailer_of(path)
        assert trailer is not None
        walked = [scan.entry_of(found) for found in scan.walk(path) if isinstance(found, scan.Found)]
        assert scan.index(path) == walked
        assert path.stat().st_size <= 20_000 + trailer.size + footer.TRAILER
    assert records_in(root) == names


async def test_packs_are_sealed_when_they_are_old(root: Path, manual_clock: ManualClock) -> None:
    journal = PackJournal(root, "ingress", manual_clock)
    await append(journal, b"old")
    await asyncio.sleep(0)
    await manual_clock.advance(packs.ROTATE_AFTER + 1)
    await append(journal, b"new")
    first, _second = packs_of(writer_folders(root)[0])
    for _ in range(100):
        if scan.trailer_of(first):
            break
        await asyncio.sleep(0.01)
    assert scan.trailer_of(first) is not None
    await journal.close()


async def test_a_journal_that_wrote_nothing_leaves_nothing(root: Path) -> None:
    journal = PackJournal(root, "ingress")
    await journal.close()
    assert not root.exists()
    journal = PackJournal(root, "ingress")
    await journal.spool().discard()
    await journal.close()
    assert writer_folders(root) == []
    with pytest.raises(JournalFailed):
        await append(journal, b"late")


async def test_a_full_disk_refuses_and_recovers(
    journal: PackJournal, bodies: LocalBodies, device: FaultyDevice, root: Path
) -> None:
    kept, ref = await append(journal, b"before")
    device.fail["write_durably"] = FULL
    answers = await asyncio.gather(*[append(journal, body_of(4096, n)) for n in range(20)], return_exceptions=True)
    assert all(isinstance(answer, JournalFull) for answer in answers)
    assert records_in(root) == [kept]
    del device.fail["write_durably"]
    after, ref_after = await append(journal, b"after")
    assert records_in(root) == [kept, after]
    assert await bodies.read(ref) == b"before"
    assert await bodies.read(ref_after) == b"after"
    assert ref.pack == ref_after.pack


async def test_a_failed_sync_is_fatal_for_the_pack_and_leaves_no_ghost(
    journal: PackJournal, bodies: LocalBodies, device: FaultyDevice, root: Path
) -> None:
    kept, ref = await append(journal, b"before")
    device.fail["sync"] = BROKEN
    with pytest.raises(JournalFailed):
        await append(journal, b"ghost")
    assert journal.problem
    del device.fail["sync"]
    after, ref_after = await append(journal, b"after")
    assert ref_after.pack != ref.pack
    assert records_in(root) == [kept, after]
    assert await bodies.read(ref) == b"before"
    assert not journal.problem


@pytest.mark.parametrize("worse", ["truncate", "abort list"])
async def test_one_of_abort_list_and_cut_keeps_the_ghost_away(
    journal: PackJournal, device: FaultyDevice, root: Path, worse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, ref = await append(journal, b"before")
    device.fail["sync"] = BROKEN
    if worse == "truncate":
        device.fail["truncate"] = BROKEN
    else:
        monkeypatch.setattr(lane, "add_aborted", _raise_broken)
    with pytest.raises(JournalFailed):
        await append(journal, b"ghost")
    assert records_in(root) == [kept]
    folder, pack = ref.pack.split("/")
    assert bool(aborted_of(root / folder, pack)) == (worse == "truncate")


def _raise_broken(*_: object) -> None:
    raise OSError(BROKEN, "broken")


async def test_a_full_disk_whose_batch_can_not_be_cut_off_fails_the_pack(
    journal: PackJournal, device: FaultyDevice, root: Path
) -> None:
    kept, ref = await append(journal, b"before")
    device.fail |= {"write_durably": FULL, "truncate": BROKEN}
    with pytest.raises(JournalFailed):
        await append(journal, b"ghost")
    device.fail.clear()
    after, ref_after = await append(journal, b"after")
    assert ref_after.pack != ref.pack
    assert records_in(root) == [kept, after]


async def test_a_bug_in_the_writing_hangs_nobody(
    journal: PackJournal, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, _ = await append(journal, b"before")

    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(lane, "write", broken)
    with pytest.raises(JournalFailed):
        await append(journal, b"lost")
    monkeypatch.undo()
    after, _ = await append(journal, b"after")
    assert records_in(root) == [kept, after]


async def test_a_bug_after_the_writing_hangs_nobody(journal: PackJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(journal, b"before")

    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(lane, "encode_entry", broken)
    with pytest.raises(JournalFailed, match="internal"):
        await append(journal, b"lost")
    monkeypatch.undo()
    await append(journal, b"after")


async def test_a_listener_that_fails_keeps_no_sender_waiting(journal: PackJournal, bodies: LocalBodies) -> None:
    def broken(_: Committed) -> None:
        raise RuntimeError("unforeseen")

    journal.listen(broken)
    _, ref = await append(journal, b"x")
    assert await bodies.read(ref) == b"x"


async def test_a_name_that_is_no_mail_id_is_refused_alone(journal: PackJournal) -> None:
    for wrong in ("", "0" * 25, "0" * 27, "é" * 26):
        with pytest.raises(ValueError, match="mail_id"):
            await journal.append(mail_of(1).model_copy(update={"mail_id": wrong}), b"x")


@given(st.lists(st.integers(0, 300_000), max_size=12))
@settings(max_examples=20, deadline=None)
async def test_how_a_large_body_is_cut_changes_nothing(sizes: list[int]) -> None:
    body = body_of(sum(sizes))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        spool = SpoolFile(FaultyDevice(), Path(folder) / "1", executor, lambda: None)
        at = 0
        for size in sizes:
            await spool.write(body[at : at + size])
            at += size
        await spool.finish()
        assert (spool.table, spool.sha256, spool.size) == (record.checksums(body), record.digest(body), len(body))
        assert spool.path.read_bytes() == body
        await spool.discard()


async def test_no_pack_can_be_made(journal: PackJournal, device: FaultyDevice) -> None:
    device.fail["write_durably"] = FULL
    with pytest.raises(JournalFull):
        await append(journal, b"x")
    device.fail["write_durably"] = BROKEN
    with pytest.raises(JournalFailed):
        await append(journal, b"x")
    device.fail.clear()
    await append(journal, b"x")


async def test_writing_ahead_may_fail(root: Path, device: FaultyDevice, bodies: LocalBodies) -> None:
    journal = PackJournal(root, "ingress", device=device)
    device.fail["zero"] = FULL
    refs = [(await append(journal, body_of(100_000, n)))[1] for n in range(20)]
    assert [await bodies.read(ref) for ref in refs] == [body_of(100_000, n) for n in range(20)]
    await journal.close()


@pytest.mark.parametrize("size", [1_000_000, OBJECT_ABOVE + 1])
@pytest.mark.parametrize("operation", ["write", "copy", "write_durably", "sync"])
async def test_a_large_message_meets_a_full_disk(
    journal: PackJournal, bodies: LocalBodies, device: FaultyDevice, root: Path, size: int, operation: str
) -> None:
    kept, _ = await append(journal, b"before")
    device.fail[operation] = FULL
    spool = journal.spool()
    mail = mail_of(size)
    refused = False
    try:
        await spool.write(body_of(size))
        await journal.append(mail, spool)
    except JournalFull:
        refused = True
    device.fail.clear()
    await spool.discard()
    expected = [kept] if refused else [kept, mail.mail_id]
    assert sorted(records_in(root)) == sorted(expected)
    assert not list((root / journal.folder).glob("spool/*"))  # type: ignore[operator]
    spool = journal.spool()
    await spool.write(body_of(size))
    ref = await journal.append(mail_of(size), spool)
    assert await bodies.read(ref) == body_of(size)


class SlowDevice(FaultyDevice):
    """Every step on a large file takes a while."""

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> int:
        time.sleep(0.05)
        return super().write(fd, buffers, offset)

    def copy(self, source: int, target: int, offset: int, size: int) -> None:
        time.sleep(0.05)
        super().copy(source, target, offset, size)


@pytest.mark.parametrize("size", [1_000_000, OBJECT_ABOVE + 1])
@pytest.mark.parametrize("after", [0.01, 0.03, 0.07, 0.12, 0.17, 0.3])
async def test_a_large_message_is_broken_off_at_any_moment(root: Path, size: int, after: float) -> None:
    """Its file stays open as long as a thread works on it, and harms no neighbour."""
    journal = PackJournal(root, "ingress", device=SlowDevice())
    bodies = LocalBodies(root)
    body = body_of(size)

    async def send() -> BodyRef:
        spool = journal.spool()
        try:
            await spool.write(body[: size // 2])
            await spool.write(body[size // 2 :])
            return await journal.append(mail_of(size), spool)
        finally:
            await spool.discard()

    broken, whole = asyncio.create_task(send()), asyncio.create_task(send())
    await asyncio.sleep(after)
    broken.cancel()
    await asyncio.gather(broken, return_exceptions=True)
    assert await bodies.read(await whole) == body
    assert not journal.problem
    await journal.close()
    assert not list(root.glob("*/spool/*"))
    bodies.close()


async def test_an_object_whose_record_is_refused_can_be_appended_again(
    journal: PackJournal, bodies: LocalBodies, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = OBJECT_ABOVE + 1
    spool = journal.spool()
    await spool.write(body_of(size))
    assert journal._small is not None
    take = journal._small.append

    async def refuse(waiting: Waiting) -> None:
        raise JournalFull("no")

    monkeypatch.setattr(journal._small, "append", refuse)
    mail = mail_of(size)
    with pytest.raises(JournalFull):
        await journal.append(mail, spool)
    assert not list((root / "objects").iterdir())
    monkeypatch.setattr(journal._small, "append", take)
    assert await bodies.read(await journal.append(mail, spool)) == body_of(size)


async def test_almost_no_space_refuses_before_the_disk_does(
    journal: PackJournal, device: FaultyDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "_LOOK_AGAIN", 0.0)
    await append(journal, b"x")
    device.free_bytes = appending.DISK_RESERVE - 1
    with pytest.raises(JournalFull):
        await append(journal, b"x")
    with pytest.raises(JournalFull):
        journal.spool()
    assert "full" in journal.problem
    device.free_bytes = appending.DISK_RESERVE
    await append(journal, b"x")
    assert not journal.problem


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", path], check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


async def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    journal = PackJournal(small_disk / "journal", "ingress", reserve=0)
    bodies = LocalBodies(small_disk / "journal")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    refs = []
    with pytest.raises(JournalFull):
        for n in range(1000):
            refs.append((n, (await append(journal, body_of(50_000, n)))[1]))
    assert len(refs) > 20
    with pytest.raises(JournalFull):
        spool = journal.spool()
        await spool.write(body_of(700_000))
        await journal.append(mail_of(700_000), spool)
    await spool.discard()
    filler.unlink()
    refs.append((5000, (await append(journal, body_of(50_000, 5000)))[1]))
    assert [await bodies.read(ref) for _, ref in refs] == [body_of(50_000, n) for n, _ in refs]
    await journal.close()
    bodies.close()


async def test_a_corrupt_byte_costs_one_mail(journal: PackJournal, root: Path) -> None:
    refs = [(await append(journal, body_of(4096, n)))[1] for n in range(5)]
    path = root / refs[0].pack
    for victim, at in ((1, refs[1].offset + 40), (3, refs[3].offset + refs[3].head + 100)):
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
        bodies = LocalBodies(root)
        with pytest.raises(BodyCorrupt):
            await bodies.read(refs[victim])
        bodies.close()
    bodies = LocalBodies(root)
    for n in (0, 2, 4):
        assert await bodies.read(refs[n]) == body_of(4096, n)
    bodies.close()


CHILD = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from barid_runtime.journal.packs import PackJournal
from barid_testing.contracts.journal import mail_of, body_of

async def main():
    journal = PackJournal(Path(sys.argv[1]), "ingress", pack_size=300_000, write_ahead=100_000)
    async def one(n):
        k = n
        while True:
            size = 400_000 if k % 50 == 7 else 4096
            mail = mail_of(size)
            body = body_of(size, k)
            if size > 300_000:
                spool = journal.spool()
                await spool.write(body)
                body = spool
            ref = await journal.append(mail, body)
            print(mail.mail_id, k, ref.model_dump_json(), flush=True)
            k += 20
    await asyncio.gather(*[one(n) for n in range(20)])

asyncio.run(main())
"""


def killed_writer(root: Path, mails: int = 300) -> list[tuple[str, int, str]]:
    """A process that appends until it is killed; what it was told is durable."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(mails)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    child.wait()
    rows = [line.split(" ", 2) for line in lines if line.endswith("\n")]
    return [(mail_id, int(k), ref) for mail_id, k, ref in rows]


async def test_after_a_kill_everything_acknowledged_is_there_and_sealed(root: Path, device: FaultyDevice) -> None:
    told = killed_writer(root)
    assert len(told) >= 300
    (inheritance,) = inherit(root, "ingress", device)
    assert inheritance.unpublished
    (folder,) = writer_folders(root)
    assert all(scan.trailer_of(path) for path in packs_of(folder))
    assert not (folder / "spool").exists()
    assert {mail_id for mail_id, _, _ in told} <= set(records_in(root))
    bodies = LocalBodies(root)
    for _, k, text in told:
        ref = BodyRef.model_validate_json(text)
        assert await bodies.read(ref) == body_of(ref.size, k)
    bodies.close()
    assert inherit(root, "ingress", device) == []  # it is ours now
    inheritance.folder.release()
    again = inherit(root, "ingress", device)
    assert [one.unpublished for one in again] == [inheritance.unpublished]
    again[0].folder.release()


async def crashed(root: Path, appends: int = 5) -> tuple[Path, list[BodyRef]]:
    """A pack as a crash leaves it: not sealed, its writer dead."""
    journal = PackJournal(root, "ingress")
    refs = [(await append(journal, body_of(4096, n)))[1] for n in range(appends)]
    assert journal._folder is not None
    path = journal._folder.path / "000001.pack"
    torn = path.read_bytes()
    await journal.close()
    path.write_bytes(torn)
    return path, refs


@pytest.mark.parametrize("lost", [1, 2000, 4096, 4200, 4400])
async def test_a_torn_tail_is_cut(root: Path, device: FaultyDevice, lost: int) -> None:
    path, refs = await crashed(root)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - lost)
    (inheritance,) = inherit(root, "ingress", device)
    assert [entry.offset for entry in scan.index(path)] == [ref.offset for ref in refs[:4]]
    assert inheritance.unpublished[0].end == refs[4].offset
    assert "unfinished" in inheritance.notes[0]
    inheritance.folder.release()


async def test_a_torn_body_before_zeros_is_named_and_passed_over(root: Path, device: FaultyDevice) -> None:
    path, refs = await crashed(root)
    with path.open("r+b") as file:
        file.seek(refs[4].offset + refs[4].head + 100)
        file.write(bytes(3996 + 10_000))
    (inheritance,) = inherit(root, "ingress", device)
    assert "torn" in inheritance.notes[0]
    assert [entry.offset for entry in scan.index(path)] == [ref.offset for ref in refs[:4]]
    inheritance.folder.release()


async def test_damage_in_the_middle_is_reported_and_the_rest_recovered(root: Path, device: FaultyDevice) -> None:
    path, refs = await crashed(root)
    with path.open("r+b") as file:
        file.seek(refs[2].offset + 50)
        file.write(b"????????")
    (inheritance,) = inherit(root, "ingress", device)
    assert inheritance.notes[0] == f"{refs[0].pack}: bytes {refs[2].offset} to {refs[3].offset} are damaged"
    assert [entry.offset for entry in scan.index(path)] == [ref.offset for ref in refs]
    assert [mail.ref for mail, _ in scan.load(root, refs[0].pack, scan.index(path))] == [refs[n] for n in (0, 1, 3, 4)]
    inheritance.folder.release()


async def test_an_aborted_record_does_not_come_back(root: Path, device: FaultyDevice) -> None:
    from barid_runtime.journal.folder import add_aborted

    path, refs = await crashed(root)
    add_aborted(path.parent, path.name, [(refs[1].offset, "x"), (refs[4].offset, "y")])
    (inheritance,) = inherit(root, "ingress", device)
    assert [entry.offset for entry in scan.index(path)] == [refs[n].offset for n in (0, 2, 3)]
    inheritance.folder.release()


async def test_a_living_writer_is_left_alone(journal: PackJournal, root: Path, device: FaultyDevice) -> None:
    await append(journal, b"alive")
    assert inherit(root, "ingress", device) == []
    assert inherit(root, "relay", device) == []


async def test_a_full_disk_at_recovery_still_hands_over(root: Path, device: FaultyDevice) -> None:
    path, refs = await crashed(root)
    device.fail["write_durably"] = FULL
    (inheritance,) = inherit(root, "ingress", device)
    assert inheritance.unpublished[0].end > refs[4].offset
    assert scan.trailer_of(path) is None
    inheritance.folder.release()
    device.fail.clear()
    (inheritance,) = inherit(root, "ingress", device)
    assert scan.trailer_of(path) is not None
    assert len(scan.index(path)) == 5
    inheritance.folder.release()
