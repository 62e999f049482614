"""Packs go open → sealed → closed → deleted, and nothing that is referred to goes."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from barid_contracts.mail import Accepted
from barid_runtime.journal import lifecycle, scan
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.folder import write_cursor, writer_folders
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.port import OBJECT_ABOVE, BodyMissing
from barid_testing.contracts.journal import body_of, mail_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def append(journal: PackJournal, size: int = 1000, *, accounts: int = 1, remotes: int = 0) -> Accepted:
    mail = mail_of(size, accounts=accounts, remotes=remotes)
    spool = journal.spool()
    await spool.write(body_of(size))
    ref = await journal.append(mail, spool if size > OBJECT_ABOVE else body_of(size))
    await spool.discard()
    return mail.model_copy(update={"ref": ref})


def referring_to(*kept: str) -> lifecycle.Referenced:
    async def referenced(names: Sequence[str]) -> set[str]:
        return set(names) & set(kept)

    return referenced


async def test_states_are_told_as_they_are(root: Path) -> None:
    journal = PackJournal(root, "ingress")
    mail = await append(journal)
    (pack,) = lifecycle.packs(root)
    assert mail.ref is not None
    assert (pack.name, pack.state, pack.live, pack.complete) == (mail.ref.pack, "open", True, False)
    await journal.close()
    (pack,) = lifecycle.packs(root)
    assert (pack.state, pack.live, pack.complete) == ("sealed", False, False)
    assert pack.end is not None
    write_cursor(pack.path.parent, {pack.path.name: pack.end})
    (pack,) = lifecycle.packs(root)
    assert pack.complete
    lifecycle.close_pack(root, pack.name)
    lifecycle.close_pack(root, pack.name)
    assert [pack.state for pack in lifecycle.packs(root)] == ["closed"]
    assert lifecycle.packs(root, closed=False) == []


async def test_a_reconciler_sees_what_was_published_and_reads_only_what_it_asks_for(root: Path) -> None:
    journal = PackJournal(root, "ingress")
    mails = [await append(journal, accounts=n % 3, remotes=n % 2) for n in range(6)]
    (pack,) = lifecycle.packs(root)
    assert lifecycle.published_entries(pack) == []
    assert mails[4].ref is not None
    write_cursor(pack.path.parent, {pack.path.name: mails[4].ref.offset})
    for _ in ("open", "sealed"):
        (pack,) = lifecycle.packs(root)
        entries = lifecycle.published_entries(pack)
        assert [entry.mail_id for entry in entries] == [mail.mail_id for mail in mails[:4]]
        assert [entry.accounts for entry in entries] == [(), (0,), (0, 1), ()]
        assert [entry.remotes for entry in entries] == [(), (1,), (), (0,)]
        loaded = list(scan.load(root, pack.name, entries[1:3]))
        assert loaded == [(mail, mail.ref) for mail in mails[1:3]]
        await journal.close()


async def test_only_closed_packs_that_nothing_refers_to_go(root: Path) -> None:
    journal = PackJournal(root, "ingress", pack_size=2000)
    names = [mail.ref.pack for mail in [await append(journal) for _ in range(4)] if mail.ref]
    await journal.close()
    assert len(set(names)) == 4
    for name in names[:3]:
        lifecycle.close_pack(root, name)
    gone = await lifecycle.collect(root, referring_to(names[1]))
    assert gone == [names[0], names[2]]
    assert [pack.name for pack in lifecycle.packs(root)] == [names[1], names[3]]
    lifecycle.close_pack(root, names[3])
    await lifecycle.collect(root, referring_to())
    assert writer_folders(root) == []


async def test_nothing_goes_when_somebody_can_not_be_asked(root: Path) -> None:
    journal = PackJournal(root, "ingress")
    mail = await append(journal)
    await journal.close()
    assert mail.ref is not None
    lifecycle.close_pack(root, mail.ref.pack)

    async def unreachable(names: Sequence[str]) -> set[str]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await lifecycle.collect(root, unreachable)
    assert len(lifecycle.packs(root)) == 1


async def test_an_object_lives_as_long_as_its_record_or_a_reference(root: Path) -> None:
    journal = PackJournal(root, "ingress")
    mail = await append(journal, OBJECT_ABOVE + 1)
    await journal.close()
    assert mail.ref is not None
    (pack,) = lifecycle.packs(root)
    (path,) = lifecycle.objects(root)
    later = path.stat().st_mtime + lifecycle.OBJECT_GRACE + 1
    assert await lifecycle.collect(root, referring_to(), now=later) == []
    lifecycle.close_pack(root, pack.name)
    assert await lifecycle.collect(root, referring_to(pack.name, mail.ref.pack), now=later) == []
    assert await lifecycle.collect(root, referring_to(pack.name), now=later - 10) == []
    assert await lifecycle.collect(root, referring_to(mail.ref.pack), now=later) == [pack.name]
    bodies = LocalBodies(root)
    assert await bodies.read(mail.ref) == body_of(OBJECT_ABOVE + 1)
    assert await lifecycle.collect(root, referring_to(), now=later) == [mail.ref.pack]
    bodies.close()
    with pytest.raises(BodyMissing):
        await LocalBodies(root).read(mail.ref)


async def test_a_reader_lets_go_of_deleted_packs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from barid_runtime.journal import bodies as reading

    monkeypatch.setattr(reading, "IDLE", 0.02)
    journal = PackJournal(root, "ingress")
    mail = await append(journal)
    await journal.close()
    assert mail.ref is not None
    bodies = LocalBodies(root)
    before = len(os.listdir("/proc/self/fd"))
    await bodies.read(mail.ref)
    await asyncio.sleep(0.1)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert await bodies.read(mail.ref) == body_of(1000)
    bodies.close()


async def test_readers_keep_few_files_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from barid_runtime.journal import bodies as reading

    monkeypatch.setattr(reading, "MAX_OPEN", 3)
    journal = PackJournal(root, "ingress", pack_size=2000)
    mails = [await append(journal) for _ in range(10)]
    await journal.close()
    bodies = LocalBodies(root)
    before = len(os.listdir("/proc/self/fd"))
    for mail in mails * 2:
        assert mail.ref is not None
        assert await bodies.read(mail.ref) == body_of(1000)
    assert len(os.listdir("/proc/self/fd")) <= before + 3
    bodies.close()
    assert len(os.listdir("/proc/self/fd")) == before
