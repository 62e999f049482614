"""The device: what a file system doesn't offer is done by hand."""

import errno
import os
from pathlib import Path

import pytest

from barid_runtime.journal.device import Device

BODY = os.urandom(2_500_000)


def copied(tmp_path: Path, size: int) -> bytes:
    source, target = tmp_path / "spool", tmp_path / "pack"
    source.write_bytes(BODY)
    target.write_bytes(b"lead")
    with source.open("rb") as read, target.open("r+b") as write:
        Device().copy(read.fileno(), write.fileno(), 4, size)
    return target.read_bytes()


@pytest.mark.parametrize("missing", [errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("after", [0, 1])
def test_where_the_kernel_does_not_copy_it_is_done_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int, after: int
) -> None:
    real = os.copy_file_range
    calls: list[int] = []

    def refuses(source: int, target: int, count: int, at: int, to: int) -> int:
        calls.append(count)
        if len(calls) > after:
            raise OSError(missing, os.strerror(missing))
        return real(source, target, count, at, to)

    monkeypatch.setattr(os, "copy_file_range", refuses)
    assert copied(tmp_path, len(BODY)) == b"lead" + BODY
    assert len(calls) == after + 1, "it is asked no more"


def test_a_full_disk_is_no_reason_to_try_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="full"):
        copied(tmp_path, len(BODY))


@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_spool_file_that_is_too_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_kernel: bool) -> None:
    if not in_kernel:
        monkeypatch.setattr("barid_runtime.journal.device._RANGE_COPY", False)
    with pytest.raises(OSError, match="shorter"):
        copied(tmp_path, len(BODY) + 1)
