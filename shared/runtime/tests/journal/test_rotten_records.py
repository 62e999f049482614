"""Recovery tells rot from a torn tail where it can: what was durable keeps its line in the footer, readable or not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barid_contracts.mail import Accepted, BodyRef, Obligation
from barid_runtime.journal import record, salvage, scan
from barid_runtime.journal.folder import add_aborted, write_cursor
from barid_runtime.journal.inheritance import Inheritance
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.recovery import inherit
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.faulty_device import FaultyDevice


def owed(size: int = 4096) -> Accepted:
    """To two accounts here and to somebody elsewhere."""
    kinds = [("account", "bob"), ("remote", None), ("account", "ann")]
    return mail_of(size).model_copy(
        update={
            "headers": 'Subject: {"n":7,"kind":"remote"\r\n\r\n',
            "obligations": [
                Obligation(n=n, kind=kind, address=f"{n}@here.test", original=f"{n}@here.test", account=account)  # type: ignore[arg-type]
                for n, (kind, account) in enumerate(kinds)
            ],
        }
    )


async def crashed(root: Path, appends: int = 4) -> tuple[Path, list[Accepted], list[BodyRef]]:
    """A pack as a crash leaves it: not sealed, each record a batch of its own."""
    journal = PackJournal(root, "ingress")
    mails = [owed() for _ in range(appends)]
    refs = [await journal.append(mail, body_of(4096, n)) for n, mail in enumerate(mails)]
    assert journal._folder is not None
    path = journal._folder.path / "000001.pack"
    content = path.read_bytes()
    await journal.close()
    path.write_bytes(content)
    return path, mails, refs


def rot(path: Path, offset: int, size: int = 8) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xfe" * size)


def recovered(root: Path) -> list[Inheritance]:
    """Nothing, if nothing was to be done or said."""
    inherited = inherit(root, "ingress", FaultyDevice())
    for each in inherited:
        each.folder.release()
    return inherited


async def test_a_rotten_lead_keeps_its_name_and_its_obligations(tmp_path: Path) -> None:
    path, mails, refs = await crashed(tmp_path)
    rot(path, refs[1].offset + refs[1].head - 10)
    (found,) = recovered(tmp_path)
    entries = scan.index(path)
    assert [entry.mail_id for entry in entries] == [mail.mail_id for mail in mails]
    assert (entries[1].offset, entries[1].accounts, entries[1].remotes) == (refs[1].offset, (0, 2), (1,))
    assert any(mails[1].mail_id in note for note in found.notes)
    readable = [mail.mail_id for mail, _ in scan.load(tmp_path, refs[0].pack, entries)]
    assert readable == [mail.mail_id for n, mail in enumerate(mails) if n != 1]


@pytest.mark.parametrize("published", [False, True])
async def test_the_last_record_is_rotten_only_if_the_bus_had_it(tmp_path: Path, published: bool) -> None:
    path, mails, refs = await crashed(tmp_path)
    if published:
        write_cursor(path.parent, {path.name: refs[3].offset + refs[3].head + refs[3].size})
    rot(path, refs[3].offset + 200)
    recovered(tmp_path)
    known = 4 if published else 3
    assert [entry.mail_id for entry in scan.index(path)] == [mail.mail_id for mail in mails[:known]]
    content = path.read_bytes()
    body = body_of(4096, 3)
    assert (content.count(body) == 1) is published, "no footer is written over what somebody may have"


@pytest.mark.parametrize("published", [False, True])
async def test_the_last_body_is_rotten_only_if_the_bus_had_it(tmp_path: Path, published: bool) -> None:
    path, mails, refs = await crashed(tmp_path)
    if published:
        write_cursor(path.parent, {path.name: refs[3].offset + refs[3].head + refs[3].size})
    rot(path, refs[3].offset + refs[3].head + 100)
    recovered(tmp_path)
    known = 4 if published else 3
    assert [entry.mail_id for entry in scan.index(path)] == [mail.mail_id for mail in mails[:known]]


async def test_a_pack_with_one_rotten_record_that_was_published_is_kept(tmp_path: Path) -> None:
    path, (mail,), (ref,) = await crashed(tmp_path, 1)
    write_cursor(path.parent, {path.name: ref.offset + ref.head + ref.size})
    rot(path, ref.offset + 100)
    recovered(tmp_path)
    assert [entry.mail_id for entry in scan.index(path)] == [mail.mail_id]


async def test_an_aborted_record_that_rots_does_not_come_back(tmp_path: Path) -> None:
    path, mails, refs = await crashed(tmp_path)
    add_aborted(path.parent, path.name, [(refs[1].offset, mails[1].mail_id)])
    rot(path, refs[1].offset + 100)
    recovered(tmp_path)
    assert [entry.offset for entry in scan.index(path)] == [refs[n].offset for n in (0, 2, 3)]


def test_when_the_recipients_are_gone_it_is_somebodys_still() -> None:
    salt = b"saltsalt"
    lead = bytearray(
        record.encode_lead(salt, 0, "01ARZ3NDEKTSV4RRFFQ69G5FAV", record.encode_head(owed()), b"", 64, 4096, bytes(32))
    )
    start = lead.index(b'"obligations"') + 16
    lead[start : lead.index(b"]", start)] = b"?" * (lead.index(b"]", start) - start)
    (entry,) = salvage.damaged_entries(bytes(lead), 1000, salt)
    assert (entry.offset, entry.accounts, entry.remotes) == (1000, (0,), ())
    append = record.encode_lead(
        salt,
        0,
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        record.encode_head(mail_of(9).model_copy(update={"obligations": []})),
        b"",
        64,
        9,
        bytes(32),
    )
    (entry,) = salvage.damaged_entries(append, 0, salt)
    assert (entry.accounts, entry.remotes) == ((), ())


@given(
    st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=30)), max_size=6)
)
def test_whatever_stands_there_it_is_read_without_harm(noise: bytes, changes: list[tuple[int, bytes]]) -> None:
    """Every line that comes of it can be written into a footer."""
    salt = b"saltsalt"
    lead = record.encode_lead(
        salt, 0, "01ARZ3NDEKTSV4RRFFQ69G5FAV", record.encode_head(owed()), b"abcd", 64, 9, bytes(32)
    )
    data = bytearray(lead + noise + lead)
    for at, octets in changes:
        data[at : at + len(octets)] = octets
    for entry in salvage.damaged_entries(bytes(data), 64, salt):
        assert 64 <= entry.offset < 64 + len(data)
        entry.encode()
