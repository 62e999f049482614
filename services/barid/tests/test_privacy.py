"""Mail is for its owner's eyes: nobody else on the machine reads the data folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid.doctor import _folder
from barid_testing.mail_system import MailSystem


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("processes", [1, 0])
def test_all_files_are_private_though_the_folder_was_there_and_open(tmp_path: Path, processes: int) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    with MailSystem(tmp_path, processes=processes) as system:
        system.send("a@elsewhere.test", "bob@example.test", "secret")
        system.expect("bob@example.test", "secret")
        made = [path for path in data.rglob("*") if path.is_file()]
        assert {"directory.db", "mailstore.db", "mailstore.db-wal", "relay.db"} <= {path.name for path in made}
        assert any(path.is_relative_to(data / "nats") and path.suffix == ".blk" for path in made)
        assert [path for path in data.rglob("*") if path.lstat().st_mode & 0o077] == []


@pytest.mark.parametrize(("mode", "grade"), [(0o700, "ok"), (0o755, "warn"), (0o750, "warn")])
def test_the_doctor_warns_of_an_open_folder(tmp_path: Path, mode: int, grade: str) -> None:
    data = tmp_path / "my data"
    data.mkdir()
    data.chmod(mode)
    (found,) = [finding for finding in _folder(data, False) if finding.check == "privacy"]
    assert found.grade == grade
    assert ("chmod -R go= '" in found.fix) == (grade == "warn")
