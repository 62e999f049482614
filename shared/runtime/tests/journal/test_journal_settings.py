"""A wrong setting of the journal is one line that names it and says what to write; no secret is ever in it."""

from pathlib import Path
from typing import Any

import pytest

from barid_runtime.journal.settings import JournalSettings
from barid_runtime.settings import SettingsError, load

S3 = {
    "s3_url": "https://s3.example.org:9000",
    "s3_bucket": "mail",
    "s3_access_key": "AKEXAMPLE",
    "s3_secret_key": "thesecretofitall",
}


def test_without_a_url_the_journal_is_a_folder(tmp_path: Path) -> None:
    place = load(JournalSettings, data=tmp_path).journal_place
    assert place.root == tmp_path / "journal"
    assert place.s3 is None


def test_with_a_url_it_is_a_bucket(tmp_path: Path) -> None:
    settings = load(JournalSettings, data=tmp_path, **S3)
    place = settings.journal_place.s3
    assert place is not None
    assert (place.url, place.bucket, place.secret_key) == (S3["s3_url"], "mail", "thesecretofitall")
    assert "thesecret" not in repr(settings) + repr(place)


@pytest.mark.parametrize(
    ("wrong", "named", "says"),
    [
        ({"s3_url": "s3.example.org"}, "BARID_S3_URL", "https://"),
        ({"s3_url": "https://user:pass@s3.example.org"}, "BARID_S3_URL", "without user"),
        ({"s3_url": "https://s3.example.org/mail"}, "BARID_S3_URL", "bucket is a setting"),
        ({"s3_url": "https://s3.example.org:99999"}, "BARID_S3_URL", "port"),
        ({"s3_bucket": ""}, "BARID_S3_BUCKET", "bucket"),
        ({"s3_bucket": "Mail_Of_All"}, "BARID_S3_BUCKET", "a-z"),
        ({"s3_access_key": ""}, "BARID_S3_ACCESS_KEY", "key"),
        ({"s3_secret_key": ""}, "BARID_S3_SECRET_KEY", "BARID_SECRETS_DIR"),
        ({"s3_ca": "/no/file"}, "BARID_S3_CA", "file"),
        ({"s3_url": "http://s3.example.org", "s3_ca": __file__}, "BARID_S3_CA", "not https://"),
        ({"s3_region": ""}, "BARID_S3_REGION", "region"),
        ({"s3_window": 60}, "BARID_S3_WINDOW", "gathered"),
        ({"s3_pack_bytes": 5}, "BARID_S3_PACK_BYTES", "bytes"),
        ({"s3_keep_seconds": 86400}, "BARID_S3_KEEP_SECONDS", "copy"),
        ({"s3_put_seconds": 0}, "BARID_S3_PUT_SECONDS", "refused"),
        ({"s3_puts": 0}, "BARID_S3_PUTS", "at once"),
    ],
)
def test_each_wrong_setting_is_one_line(tmp_path: Path, wrong: dict[str, Any], named: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(JournalSettings, data=tmp_path, **(S3 | wrong))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{named} is wrong")
    assert says in line
    assert "thesecret" not in line and "pass@" not in line
