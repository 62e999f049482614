"""The disk fills up: mail is put off, nothing accepted is lost, and once there is room all goes on by itself."""

import contextlib
import imaplib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid_testing.mail_system import Account, MailSystem

from .letters import Load, reply_to, soon, subjects, wait_for

DISK = 700 * 1024 * 1024
"""Bytes: the journal's reserve (256 MiB) and room for packs."""

SPARE = 100 * 1024 * 1024
"""Bytes that are left when the disk is low: less than the reserve, enough for all that is on its way."""


class Disk:
    """A small file system, and what takes its room."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def leave(self, spare: int) -> None:
        free = shutil.disk_usage(self.path).free
        if free > spare:
            with self._ballast.open("ab") as file:
                start = file.tell()
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), start, free - spare)

    def fill(self) -> None:
        """To the last block."""
        self.leave(0)
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture(scope="module", params=["tmpfs", "ext4"])
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    tmp_path = tmp_path_factory.mktemp("disk")
    mounted = tmp_path / "disk"
    mounted.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a disk that may be filled has to be mounted, which takes root")
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(mounted)]
    else:
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("mkfs.ext4 is not installed")
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(DISK)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(mounted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"can't mount here: {done.stderr.strip()}")
    try:
        yield Disk(mounted)
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.fixture(scope="module")
def system(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSystem]:
    """Its data stand on the small disk; its log, and what tests know it by, do not."""
    made = MailSystem(tmp_path_factory.mktemp("system"), processes=0)
    made.data = disk.path / "data"
    with made:
        yield made
        disk.free()


@pytest.fixture
def reader(system: MailSystem, disk: Disk) -> Account:
    disk.free()  # also where the test before has failed
    account = system.account()
    system.send("x@elsewhere.test", account, "before")
    system.expect(account, "before")
    return account


def services(system: MailSystem) -> dict[str, int]:
    return {name: pid for name, pid in system.pids().items() if name != "nats-server"}


def until_taken(system: MailSystem, reader: Account, subject: str, within: float = 15.0) -> None:
    until = time.monotonic() + within
    while (answer := reply_to(system, reader, subject))[0] != 250:
        assert time.monotonic() < until, answer
        time.sleep(0.2)


def test_a_disk_that_is_almost_full(system: MailSystem, disk: Disk, reader: Account) -> None:
    """Below the journal's reserve mail is put off, small and large; reading goes on."""
    pids = system.pids()
    disk.leave(SPARE)
    time.sleep(1.5)  # the journal looks once a second
    assert reply_to(system, reader) == (452, "4.3.1 Insufficient storage, try again later")
    assert reply_to(system, reader, "x" * 900_000)[0] == 452
    assert subjects(system, reader).keys() == {"before"}
    with imaplib.IMAP4(*system.imap, timeout=20) as client:
        client.login(reader.login, reader.password)
        client.select("INBOX")
        assert client.store("1", "+FLAGS", "\\Flagged")[0] == "OK"
        status, text = client.append("INBOX", None, None, b"Subject: appended\r\n\r\nx\r\n")
        assert (status, text[0][:13]) == ("NO", b"[UNAVAILABLE]")
    disk.free()
    until_taken(system, reader, "after")
    wait_for(system, reader, {"before", "after"})
    assert system.pids() == pids


def test_a_disk_that_is_full_under_load(system: MailSystem, disk: Disk, reader: Account) -> None:
    """To the last block, at once, for a while, in the middle of everything. Who had 250 has his mail, once. No service
    ends; the bus may be replaced, as its store takes nothing more after a failed write (EmbeddedNats.store_failed)."""
    pids = services(system)
    load = Load(system, reader, senders=6, body="x" * 20_000)
    with load.running():
        assert soon(lambda: len(load.accepted) > 100)
        disk.fill()
        assert soon(lambda: load.refused.total() > 20)
        time.sleep(2)  # for those who write behind the door to find it full as well
        assert reply_to(system, reader)[0] in (451, 452)
        disk.free()
        before = len(load.accepted)
        assert soon(lambda: len(load.accepted) > before + 20, 20)
    assert load.refused.keys() <= {451, 452}
    until_taken(system, reader, "after")
    wait_for(system, reader, {"before", "after", *load.accepted}, within=40)
    assert services(system) == pids
