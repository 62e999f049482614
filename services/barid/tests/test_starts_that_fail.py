"""What keeps `barid up` from starting, and can be mended, is told in one line, with an exit code of sysexits(3)."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

BARID = str(Path(sys.executable).with_name("barid"))


def start(data: Path, processes: int, *options: str) -> tuple[int, list[str], str]:
    """Exit code, what the person who started it is told, and all of standard error."""
    ended = subprocess.run(
        [BARID, "up", "--data", str(data), "--ephemeral", "--processes", str(processes), *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [line for line in ended.stderr.splitlines() if line.startswith("barid up: ")]
    return ended.returncode, told, ended.stderr


def newer_database(data: Path) -> None:
    data.mkdir()
    with apsw.Connection(str(data / "mailstore.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('9999')")


def no_database(data: Path) -> None:
    data.mkdir()
    (data / "mailstore.db").write_bytes(b"by no means a database" * 100)


def certificate_of_nobody(data: Path) -> None:
    (data / "tls").mkdir(parents=True)
    (data / "tls" / "certificate.pem").write_text("no PEM")
    (data / "tls" / "key.pem").write_text("no PEM")


def journal_is_a_file(data: Path) -> None:
    data.mkdir()
    (data / "journal").write_text("")


def database_is_a_folder(data: Path) -> None:
    (data / "directory.db").mkdir(parents=True)


def folder_is_a_file(data: Path) -> None:
    data.write_text("")


def lock_is_a_folder(data: Path) -> None:
    (data / "barid.lock").mkdir(parents=True)


def bus_is_a_file(data: Path) -> None:
    data.mkdir()
    (data / "nats").write_text("")


def nothing_wrong(data: Path) -> None:
    """What is wrong stands in the options."""


@pytest.mark.parametrize(
    ("processes", "spoil", "options", "code", "words"),
    [
        (0, newer_database, (), os.EX_UNAVAILABLE, "mailstore.db is of revision 9999, newer than this program's"),
        (1, newer_database, (), os.EX_UNAVAILABLE, "mailstore.db is of revision 9999, newer than this program's"),
        (0, no_database, (), os.EX_UNAVAILABLE, "mailstore.db can't be read: "),
        (0, certificate_of_nobody, (), os.EX_CONFIG, "certificate.pem with key "),
        (1, certificate_of_nobody, (), os.EX_CONFIG, "certificate.pem with key "),
        (0, journal_is_a_file, (), os.EX_CANTCREAT, "journal: File exists"),
        (0, database_is_a_folder, (), os.EX_UNAVAILABLE, "directory.db"),
        (0, folder_is_a_file, (), os.EX_CANTCREAT, "File exists; choose another folder with --data"),
        (0, lock_is_a_folder, (), os.EX_CANTCREAT, "Is a directory; choose another folder with --data"),
        (0, bus_is_a_file, (), os.EX_CANTCREAT, "nats"),
        (0, nothing_wrong, ("--set", "mda.no_such=1"), os.EX_CONFIG, "mda has no setting no_such"),
        (1, nothing_wrong, ("--set", "mda.no_such=1"), os.EX_CONFIG, "mda has no setting no_such"),
        (0, nothing_wrong, ("--set", "mda.gather_ms=much"), os.EX_CONFIG, "BARID_GATHER_MS is wrong"),
        (0, nothing_wrong, ("--set", "mss.tls_certificate=/no/such"), os.EX_CONFIG, "BARID_TLS_CERTIFICATE is wrong"),
        (0, nothing_wrong, ("--host", "192.0.2.1"), os.EX_UNAVAILABLE, "can't listen on 192.0.2.1:"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
def test_it_is_told_in_one_line(
    tmp_path: Path,
    processes: int,
    spoil: Callable[[Path], None],
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    spoil(tmp_path / "data")
    returned, told, errors = start(tmp_path / "data", processes, *options)
    assert "Traceback" not in errors
    assert len(told) == 1, errors
    assert words in told[0]
    assert returned == code


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, told, errors = start(tmp_path / "data", 0, "--set", f"mss.imap_port={port}")
    assert [f"imap can't listen on 127.0.0.1:{port}" in line for line in told] == [True], errors
    assert code == os.EX_UNAVAILABLE
