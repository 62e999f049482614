"""A whole mail system whose journal and bodies stand in an S3 bucket."""

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid_runtime.objects.embedded import EmbeddedS3
from barid_testing.mail_system import MailSystem


@pytest.fixture
def s3() -> Iterator[EmbeddedS3]:
    with tempfile.TemporaryDirectory(prefix="barid-s3-") as folder:
        server = EmbeddedS3(Path(folder))
        asyncio.run(server.start())
        yield server
        asyncio.run(server.stop())


@pytest.fixture
def system(s3: EmbeddedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailSystem]:
    place = s3.place
    for name, value in (
        ("URL", place.url),
        ("BUCKET", place.bucket),
        ("ACCESS_KEY", place.access_key),
        ("SECRET_KEY", place.secret_key),
    ):
        monkeypatch.setitem(os.environ, f"BARID_S3_{name}", value)
    with MailSystem(tmp_path / "system") as system:
        yield system


def objects(s3: EmbeddedS3) -> list[str]:
    return sorted(str(path.relative_to(s3.buckets / "barid")) for path in s3.buckets.rglob("*") if path.is_file())


def test_mail_of_any_size_goes_through_the_bucket(system: MailSystem, s3: EmbeddedS3) -> None:
    ann = system.account()
    large = "x" * 70 + "\r\n"
    for subject, lines in (("small", 1), ("spooled", 5_000), ("an object", 130_000)):
        system.send("bob@far.test", to=ann, subject=subject, body=large * lines)
        mail = system.expect(to=ann, subject=subject, within=20)
        assert mail.text.count("x" * 70) == lines
    kinds = {name.partition("/")[0] for name in objects(s3)}
    assert {"packs", "objects"} <= kinds


def test_a_store_that_is_killed_and_started_again_loses_and_doubles_nothing(system: MailSystem, s3: EmbeddedS3) -> None:
    ann = system.account()
    system.send("bob@far.test", to=ann, subject="before")
    system.expect(to=ann, subject="before")
    asyncio.run(s3.kill())
    # Its 250 waits until the store is back. The store by this thread, with which it ends.
    sending = threading.Thread(target=system.send, args=("bob@far.test",), kwargs={"to": ann, "subject": "meanwhile"})
    sending.start()
    time.sleep(1.0)
    assert sending.is_alive()
    asyncio.run(s3.start())
    sending.join(20)
    assert "meanwhile" in system.expect(to=ann, subject="meanwhile", within=20).subject
    system.restart()
    assert system.expect(to=ann, subject="before", within=10)
    system.send("bob@far.test", to=ann, subject="after")
    system.expect(to=ann, subject="after", within=10)
