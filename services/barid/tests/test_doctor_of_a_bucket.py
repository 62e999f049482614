"""What the doctor finds in a bucket: of the settings here; a system that runs tells its own."""

from pathlib import Path

import pytest

from barid import bucket_doctor
from barid.findings import Finding
from barid_runtime.journal.s3 import keys
from barid_runtime.journal.s3.journal import BucketJournal
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket
from barid_testing.contracts.journal import body_of, mail_of


@pytest.fixture
async def bucket(s3_place: S3Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """With three mails in three packs, and settings that name it."""
    store = Bucket(s3_place)
    journal = BucketJournal(tmp_path / "journal", "ingress", store, s3_place)
    for seed in range(3):
        await journal.append(mail_of(50_000), body_of(50_000, seed))
    await journal.close()
    monkeypatch.setenv("BARID_S3_URL", s3_place.url)
    monkeypatch.setenv("BARID_S3_BUCKET", s3_place.bucket)
    monkeypatch.setenv("BARID_S3_ACCESS_KEY", s3_place.access_key)
    monkeypatch.setenv("BARID_S3_SECRET_KEY", s3_place.secret_key)
    return store


def look(tmp_path: Path, *, deep: bool = False) -> Finding:
    (finding,) = bucket_doctor.examine(tmp_path, None, deep=deep)
    return finding


def change(store: Bucket, key: str, at: int) -> None:
    data = bytearray(store.get(key))
    data[at] ^= 0xFF
    store.put(key, bytes(data))


async def test_a_sound_one_and_each_kind_of_damage(bucket: Bucket, tmp_path: Path) -> None:
    assert look(tmp_path) == Finding(
        "bucket", "ok", "3 records in 3 packs, footers sound (leads and bodies too: --deep)"
    )
    assert look(tmp_path, deep=True).text == "3 records in 3 packs, leads and bodies sound"

    first, second, third = [each.key for each in bucket.below(keys.PACKS)]
    change(bucket, first, 25_000)
    assert look(tmp_path).grade == "ok", "a body is read by --deep only"
    finding = look(tmp_path, deep=True)
    assert (finding.grade, finding.text.split(":")[0]) == ("fail", "1 damaged records")
    assert first in finding.text

    change(bucket, second, -1)
    finding = look(tmp_path)
    assert finding.text == f"1 damaged records: {second}: its footer"
    assert "restore these packs" in finding.fix

    bucket.put(keys.aborted_key(keys.name_in(second) or ""), b"")
    assert look(tmp_path).grade == "ok", "a pack that was refused does not count"
    bucket.put(third, bucket.get(third)[:40_000])
    assert f"{third} has no end" in look(tmp_path, deep=True).text


async def test_a_store_that_is_away_and_a_wrong_key(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_place: S3Place
) -> None:
    monkeypatch.setenv("BARID_S3_SECRET_KEY", "a-wrong-secret")
    finding = look(tmp_path)
    assert (finding.grade, "BARID_S3_SECRET_KEY" in finding.text) == ("fail", True)
    assert "a-wrong-secret" not in str(finding)
    monkeypatch.setenv("BARID_S3_SECRET_KEY", s3_place.secret_key)
    monkeypatch.setenv("BARID_S3_BUCKET", f"{s3_place.bucket}-misspelt")
    for _ in range(2):  # the first look has not made it
        assert "there is no such bucket" in look(tmp_path).text
    monkeypatch.setenv("BARID_S3_URL", "http://127.0.0.1:9")
    assert look(tmp_path).grade == "fail"
    monkeypatch.setenv("BARID_S3_URL", "not a url")
    assert look(tmp_path).text.startswith("BARID_S3_URL is wrong")
