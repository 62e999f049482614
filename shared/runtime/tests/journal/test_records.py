"""Records, footers and walks over packs, damaged ones too."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barid_contracts.mail import Accepted, AcceptedBatch, BodyRef, Obligation
from barid_runtime.journal import record, scan
from barid_runtime.journal.events import payloads
from barid_runtime.journal.footer import TRAILER, Entry, decode_entries, decode_trailer, encode_footer
from barid_runtime.journal.port import CHUNK, BodyCorrupt

SALT = b"saltsalt"


def mail(n: int, size: int, **fields: object) -> Accepted:
    return Accepted(
        mail_id=f"{n:026d}",
        at=n,
        reverse_path="",
        size=size,
        obligations=[
            Obligation(n=0, kind="account", address="a@b", original="a@b", account="x"),
            Obligation(n=1, kind="remote", address="c@d", original="c@d"),
        ],
        **fields,
    )


def written(mails: list[tuple[Accepted, bytes]], salt: bytes = SALT) -> tuple[bytes, list[int]]:
    """A pack's bytes, and where its records begin."""
    pack = record.encode_pack_header(salt, 0)
    offsets = []
    for one, body in mails:
        offsets.append(len(pack))
        head = record.encode_head(one)
        table = record.checksums(body)
        lead = record.encode_lead(salt, 0, one.mail_id, head, table, len(pack), len(body), record.digest(body))
        pack += lead + body
    return pack, offsets


bodies = st.lists(st.binary(max_size=300), min_size=1, max_size=8)


@given(st.binary(max_size=3 * CHUNK), st.text(), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_a_lead_is_read_back(body: bytes, subject: str, batch: int) -> None:
    one = mail(1, len(body), subject=subject.encode("utf-8", "replace").decode())
    lead = record.encode_lead(
        SALT, 0, one.mail_id, record.encode_head(one), record.checksums(body), batch, len(body), record.digest(body)
    )
    read = record.decode_lead(lead + body)
    assert (read.mail_id, read.batch, read.body_size, read.size) == (one.mail_id, batch, len(body), len(lead))
    assert Accepted.model_validate_json(read.head) == one
    record.verify_chunks(read.table, body)


@given(st.data())
@settings(max_examples=100)
def test_no_flipped_bit_goes_unnoticed(data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=1, max_size=300))
    pack, (offset,) = written([(mail(1, len(body)), body)])
    whole = bytearray(pack[offset:])
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BodyCorrupt):
        lead = record.decode_lead(bytes(whole))
        record.verify_chunks(lead.table, bytes(whole[lead.size :]))


def test_a_ref_in_the_mail_is_left_out_of_the_head() -> None:
    one = mail(1, 3)
    there = one.model_copy(update={"ref": BodyRef(pack="x", offset=1, head=2, size=3)})
    assert record.encode_head(there) == record.encode_head(one)


def test_the_spliced_event_is_the_mail_with_its_ref() -> None:
    ref = BodyRef(pack="ingress.0/000001.pack", offset=1, head=2, size=3)
    one = mail(1, 3, subject='quotes " and \\ and é')
    event = record.splice_ref(record.encode_head(one), ref)
    assert Accepted.model_validate_json(event) == one.model_copy(update={"ref": ref})


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 1000))
def test_events_are_split_to_fit_and_none_is_lost(sizes: list[int], limit: int) -> None:
    ref = BodyRef(pack="p", offset=1, head=2, size=3)
    mails = [mail(n, 3, subject="s" * size) for n, size in enumerate(sizes)]
    events = [record.splice_ref(record.encode_head(one), ref) for one in mails]
    parts = list(payloads(events, limit))
    read = [one for part in parts for one in AcceptedBatch.model_validate_json(part).mails]
    assert [one.mail_id for one in read] == [one.mail_id for one in mails]
    longest = max(map(len, events), default=0)
    assert all(len(part) <= max(limit, longest) + len(events) + 20 for part in parts)


@given(bodies, st.integers(0, 200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_walk_finds_every_record_and_stops_at_zeros(tmp_path: Path, texts: list[bytes], zeros: int) -> None:
    pack, offsets = written([(mail(n, len(text)), text) for n, text in enumerate(texts)])
    path = tmp_path / "000001.pack"
    path.write_bytes(pack + bytes(zeros))
    found = list(scan.walk(path))
    assert [one.offset for one in found if isinstance(one, scan.Found)] == offsets
    assert len(found) == len(offsets)


@given(bodies, st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_takes_only_the_records_that_it_touches(tmp_path: Path, texts: list[bytes], data: st.DataObject) -> None:
    pack, offsets = written([(mail(n, len(text)), text) for n, text in enumerate(texts)])
    start = data.draw(st.integers(record.PACK_HEADER, len(pack) - 1))
    end = data.draw(st.integers(start + 1, min(len(pack), start + 200)))
    path = tmp_path / "000001.pack"
    path.write_bytes(pack[:start] + data.draw(st.binary(min_size=end - start, max_size=end - start)) + pack[end:])
    untouched = [
        offset
        for offset, after in zip(offsets, [*offsets[1:], len(pack)], strict=True)
        if after <= start or offset >= end
    ]
    found = [one.offset for one in scan.walk(path) if isinstance(one, scan.Found)]
    assert set(untouched) <= set(found) <= set(offsets)


def test_a_damaged_pack_header_hides_nothing(tmp_path: Path) -> None:
    pack, offsets = written([(mail(n, 3), b"abc") for n in range(3)])
    path = tmp_path / "000001.pack"
    damaged = bytearray(b"?" * record.PACK_HEADER + pack[record.PACK_HEADER :])
    damaged[offsets[1] + 20] ^= 1
    path.write_bytes(damaged)
    assert [one.offset for one in scan.walk(path) if isinstance(one, scan.Found)] == [offsets[0], offsets[2]]


def test_a_record_inside_a_mail_is_not_taken_for_one(tmp_path: Path) -> None:
    """Somebody mails a well-formed record, and the record that it travels in gets damaged."""
    forged, _ = written([(mail(66, 3), b"bad")], salt=b"guessing")
    inner = forged[record.PACK_HEADER :]
    pack, offsets = written([(mail(1, len(inner)), inner), (mail(2, 3), b"abc")])
    damaged = bytearray(pack)
    damaged[offsets[0] + 30] ^= 1
    path = tmp_path / "000001.pack"
    path.write_bytes(damaged)
    found = list(scan.walk(path))
    assert found[0] == scan.Damage(offsets[0], offsets[1])
    assert [one.offset for one in found if isinstance(one, scan.Found)] == [offsets[1]]


@given(st.binary(max_size=2000))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_walked_without_an_error(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / "000001.pack"
    for text in (noise, record.encode_pack_header(SALT, 0) + noise, written([(mail(1, 3), b"abc")])[0] + noise):
        path.write_bytes(text)
        list(scan.walk(path))
        scan.index(path)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**40),
            st.lists(st.integers(0, 2**32 - 1), max_size=5),
            st.lists(st.integers(0, 2**32 - 1), max_size=5),
        ),
        max_size=10,
    )
)
def test_a_footer_is_read_back(rows: list[tuple[int, list[int], list[int]]]) -> None:
    entries = [
        Entry(f"{n:026d}", offset, 100 + n, 200 + n, n & 1, tuple(accounts), tuple(remotes))
        for n, (offset, accounts, remotes) in enumerate(rows)
    ]
    text = b"".join([entry.encode() for entry in entries])
    footer = encode_footer(text, 5000, len(entries))
    trailer = decode_trailer(footer[-TRAILER:], 5000 + len(footer))
    assert trailer is not None
    assert decode_entries(footer[:-TRAILER], trailer) == entries
    assert decode_trailer(footer[-TRAILER:], 5001 + len(footer)) is None


def test_a_page_that_the_disk_can_not_read_costs_its_records_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, offsets = written([(mail(n, 4000), bytes(4000)) for n in range(20)])
    path = tmp_path / "000001.pack"
    path.write_bytes(pack)
    pread = os.pread

    def broken(fd: int, size: int, offset: int) -> bytes:
        if offset <= offsets[5] + 50 < offset + size:
            raise OSError(5, "broken")
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", broken)
    found = [one.offset for one in scan.walk(path) if isinstance(one, scan.Found)]
    assert set(offsets) - set(found) <= {offsets[4], offsets[5], offsets[6]}
    assert offsets[5] not in found


def test_reading_leads_costs_a_window_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, _ = written([(mail(n, 4000), bytes(4000)) for n in range(1000)])
    path = tmp_path / "000001.pack"
    path.write_bytes(pack)
    reads = []
    pread = os.pread

    def counted(fd: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert len(list(scan.walk(path))) == 1000
    assert len(reads) < 20
