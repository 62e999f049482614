"""The data folder's lock and files."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from barid.folder import DataFolder, FolderError, read_json, write_private


def test_two_systems_never_share_a_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.prepare()
    folder.lock()
    assert folder.is_running()
    with pytest.raises(FolderError, match=rf"process {os.getpid()}\): stop that one, or choose another folder"):
        DataFolder(tmp_path).lock()
    folder.unlock()
    assert not folder.is_running()
    other = DataFolder(tmp_path)
    other.lock()
    other.unlock()


def test_the_folder_is_in_use_until_the_last_process_is_gone(tmp_path: Path) -> None:
    """The command is killed, a service it started still ends: a new start waits for it."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    lock = folder.lock()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,)) as left:
        folder.unlock()
        assert DataFolder(tmp_path).is_running()
        left.communicate(b"\n")
    assert not DataFolder(tmp_path).is_running()


def test_what_a_crash_left_is_no_running_system(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.prepare()
    write_private(folder.running_file, {"smtp": "127.0.0.1:1"})
    assert folder.running() is None
    folder.lock()
    assert folder.running() == {"smtp": "127.0.0.1:1"}
    folder.unlock()


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    write_private(tmp_path / "x.json", {"password": "p"})
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o600
    assert read_json(tmp_path / "x.json") == {"password": "p"}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_the_api_key_is_made_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.prepare()
    key = folder.api_key()
    write_private(folder.admin_file, {"url": "http://x", "api_key": key})
    assert folder.api_key() == key


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'])
def test_files_that_are_not_ours_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").write_text(content)
    assert read_json(tmp_path / "x") is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="choose another folder with --data"):
        DataFolder(tmp_path / "file" / "data").prepare()
