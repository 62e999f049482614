"""Processes of `barid up`: killed ones come back, ended ones leave nothing, all sizes do the same work."""

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from barid_testing.mail_system import MailSystem


def alive(pid: int) -> bool:
    """Zombies are not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def delivers(system: MailSystem, subject: str) -> None:
    system.send("a@elsewhere.test", "bob@example.test", subject)
    assert system.expect(to="bob@example.test", subject=subject, within=30).subject == subject


@pytest.mark.parametrize("processes", [1, 3, 0])
def test_whatever_the_processes_mail_is_delivered_and_nothing_is_left(tmp_path: Path, processes: int) -> None:
    with MailSystem(tmp_path, processes=processes) as system:
        delivers(system, "hello")
        pids = set(system.pids().values())
        if processes == 3:
            assert len(pids) == 6  # barid, nats-server, the fork server, three groups
    assert not [pid for pid in pids if alive(pid)]
    assert not (system.data / "running.json").exists()
    assert "Traceback" not in system.log(1_000_000)


def test_a_killed_process_is_started_again(mail_systems: Callable[..., MailSystem]) -> None:
    system = mail_systems(processes=0)
    for name in ("mailstore", "mda", "directory", "smtp_ingress", "nats-server", "relay", "admin", "forkserver"):
        system.wait_restarted(name, system.kill(name))
        ready(system)
        delivers(system, f"after {name}")


def ready(system: MailSystem) -> None:
    """As its health ports say, once all processes that are to come are there."""
    for endpoint in set(json.loads((system.data / "running.json").read_text())["health"].values()):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{endpoint}/readyz", timeout=5):
                break
            time.sleep(0.02)


@pytest.mark.parametrize("processes", [1, 0])
def test_a_killed_supervisor_leaves_no_orphans_and_no_lock(tmp_path: Path, processes: int) -> None:
    system = MailSystem(tmp_path, processes=processes).start()
    delivers(system, "before")
    pids = set(system.pids().values())
    system.kill("barid")
    system.start()
    delivers(system, "after")
    assert not [pid for pid in pids if alive(pid)]
    system.stop()


def test_the_second_start_keeps_accounts_and_key(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("carol@example.test:secret\n# a comment\n\ndave@other.test:pass:word\n")
    system = MailSystem(tmp_path, ["--accounts", str(tmp_path / "users")])
    with system:
        key = system.api_key
        system.api.send("PUT", "/v1/accounts/carol@example.test/password", {"password": "changed since"})
    with system:
        assert system.api_key == key
        accounts = [each["address"] for each in system.api.get("/v1/accounts")["items"]]
        assert accounts == ["carol@example.test", "dave@other.test"]
        ready = json.loads((tmp_path / "ready.json").read_text())
        assert {"login": "dave@other.test", "password": "pass:word"} in ready["accounts"]
        assert (tmp_path / "ready.json").stat().st_mode & 0o777 == 0o600


def test_a_script_is_installed_for_every_account(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("carol@example.test:secret\n")
    (tmp_path / "script").write_text('require "fileinto"; fileinto "Junk";')
    options = ["--accounts", str(tmp_path / "users"), "--sieve", str(tmp_path / "script")]
    with MailSystem(tmp_path, options) as system:
        system.send("a@elsewhere.test", "carol@example.test", "x")
        assert system.expect(to="carol@example.test").mailbox == "Junk"


def test_a_script_that_does_not_compile_ends_the_start_in_words(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("carol@example.test:secret\n")
    (tmp_path / "script").write_text("if {")
    options = ["--accounts", str(tmp_path / "users"), "--sieve", str(tmp_path / "script")]
    with pytest.raises(Exception, match="barid up: "):
        MailSystem(tmp_path, options).start()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux' accounting of memory")
def test_one_process_takes_little_memory(tmp_path: Path) -> None:
    with MailSystem(tmp_path) as system:
        delivers(system, "one")
        total = sum(_pss(pid) for pid in set(system.pids().values()))
    assert total < 130 * 1024 * 1024


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def test_the_bus_asks_for_a_password(mail_system: MailSystem) -> None:
    import socket

    bus = json.loads((mail_system.data / "running.json").read_text())["bus"]
    host, _, port = bus.removeprefix("nats://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        assert b'"auth_required":true' in connection.recv(4096)
        connection.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
        assert b"Authorization Violation" in connection.recv(4096)
    assert os.stat(mail_system.data / "nats" / "nats.conf").st_mode & 0o077 == 0
