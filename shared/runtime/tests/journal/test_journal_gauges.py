"""What operators see of a journal: PUTs that succeed, are tried again and are given up; mails; free disk."""

import dataclasses
import re
from pathlib import Path

import pytest

from barid_runtime.bus.nats import NatsBus
from barid_runtime.journal.gauges import expose
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.port import JournalFailed
from barid_runtime.journal.publisher import Publisher
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.metrics import exposition
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket
from barid_testing.faulty_s3 import FaultyS3

from .bucket_rig import append


def told(service: str) -> dict[str, float]:
    """Of this service: name without `barid_journal_` → value."""
    pattern = rf'^barid_journal_(\w+)\{{service="{service}"\}} (\S+)$'
    return {name: float(value) for name, value in re.findall(pattern, exposition().decode(), re.MULTILINE)}


async def test_puts(bus: NatsBus, faulty_s3: FaultyS3, s3_place: S3Place, tmp_path: Path) -> None:
    place = dataclasses.replace(s3_place, url=f"http://127.0.0.1:{faulty_s3.port}", put_seconds=1)
    journal = BucketJournal(tmp_path, "puts", Bucket(place), place)
    expose(journal, Publisher(journal, bus, owes=False), tmp_path)
    await append(journal)
    assert told("puts")["put_seconds_count"] == 1
    broken = iter([500, 503])
    faulty_s3.fault = lambda method, path: next(broken, None) if method == "PUT" else None
    await append(journal)
    found = told("puts")
    assert (found["put_seconds_count"], found["put_retries_total"], found["put_failures_total"]) == (2, 2, 0)
    assert found["put_seconds_sum"] > 0.1  # the pauses count: so long the sender waited
    faulty_s3.fault = lambda method, path: 500 if method == "PUT" and "/packs/" in path else None
    with pytest.raises(JournalFailed):
        await append(journal)
    found = told("puts")
    assert (found["put_seconds_count"], found["put_failures_total"], found["trouble"]) == (2, 1, 1)
    assert found["mails_total"] == 2
    faulty_s3.fault = lambda method, path: None
    await journal.close()


async def test_a_journal_that_is_opened_again_is_the_one_that_is_told_of(bus: NatsBus, tmp_path: Path) -> None:
    for mails in (3, 1):
        journal = PackJournal(tmp_path, "again")
        expose(journal, Publisher(journal, bus, owes=False), tmp_path)
        for _ in range(mails):
            await append(journal)
        assert told("again")["mails_total"] == mails
        await journal.close()
    found = told("again")
    assert 0 < found["disk_free_bytes"] < found["disk_size_bytes"]
    assert "put_seconds_count" not in found


def test_a_directory_that_is_not_made_yet_is_on_the_disk_of_the_one_above(tmp_path: Path) -> None:
    from barid_runtime.journal.gauges import _disk

    assert _disk(tmp_path / "a" / "b")[1] == _disk(tmp_path)[1] > 0
