"""The command as a person types it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from barid_testing.mail_system import MailSystem

BARID = str(Path(sys.executable).with_name("barid"))


def barid(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BARID, *arguments], capture_output=True, text=True, timeout=60, input=stdin, env={**os.environ, **(env or {})}
    )


def test_help_is_quick() -> None:
    """No service, no bus, no web framework is imported for it. CPU, since the wall clock has neighbours here."""
    code = "import sys, barid.app; print([m for m in sys.modules if m in ('pydantic', 'nats', 'fastapi', 'asyncio')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    best = 10.0
    for _ in range(3):
        before = os.times()
        assert "Run the whole system" in barid("--help").stdout
        after = os.times()
        best = min(best, after.children_user + after.children_system - before.children_user - before.children_system)
    assert best < 0.3


def test_version() -> None:
    assert barid("--version").stdout.startswith("barid ")


def test_options_are_refused_before_anything_is_started(tmp_path: Path) -> None:
    refused = barid("up", "--data", str(tmp_path / "data"), "--host", "0.0.0.0", "--allow-plaintext")
    assert refused.returncode == 2
    assert "use --host 127.0.0.1" in refused.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "words"), [("alice\n", "line 1"), ("a@b.test:x\n\n:secret\n", "line 3"), ("a@b.test:\n", "line 1")]
)
def test_a_line_of_the_accounts_file_that_is_none_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "users").write_text(content)
    refused = barid("up", "--data", str(tmp_path / "data"), "--accounts", str(tmp_path / "users"))
    assert refused.returncode == 2
    assert words in refused.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        base = other.getsockname()[1] - 25
        refused = barid("up", "--data", str(tmp_path / "data"), "--port-base", str(base))
    assert refused.returncode == os.EX_UNAVAILABLE
    assert f"smtp can't listen on 127.0.0.1:{base + 25}" in refused.stderr
    assert "--port-base" in refused.stderr


def test_a_setting_that_does_not_exist_ends_the_start(tmp_path: Path) -> None:
    refused = barid("up", "--data", str(tmp_path), "--ephemeral", "--processes", "1", "--set", "mda.no_such=1")
    assert refused.returncode == os.EX_CONFIG
    assert "mda has no setting no_such" in refused.stderr


def test_send_and_read_find_the_running_system(mail_systems: "type[MailSystem]") -> None:
    system: MailSystem = mail_systems()
    data = str(system.data)
    accounts = json.loads((system.folder / "ready.json").read_text())["accounts"]
    assert [each["login"] for each in accounts] == ["alice@example.test", "bob@example.test"]

    sent = barid("send", "--data", data, "--to", "bob@example.test", "--subject", "First", "--body", "-", stdin="Grüße")
    assert sent.returncode == 0, sent.stderr
    system.expect(to="bob@example.test", subject="First")
    read = barid("read", "--data", data, "--account", "bob@example.test", "--json")
    assert read.returncode == 0, read.stderr
    assert [(each["subject"], each["text"].strip()) for each in json.loads(read.stdout)] == [("First", "Grüße")]

    refused = barid("send", "--data", data, "--to", "nobody@example.test")
    assert refused.returncode == 1
    assert "nobody@example.test is refused: 550" in refused.stderr

    second = barid("up", "--data", data, "--ephemeral")
    assert second.returncode == os.EX_TEMPFAIL
    assert "in use by another `barid up`" in second.stderr

    healthy = barid("doctor", "--data", data, "--json", "--deep")
    grades = {each["check"]: each["grade"] for each in json.loads(healthy.stdout)}
    assert healthy.returncode == 0, healthy.stdout
    assert {grades[name] for name in ("mda", "mailstore", "bus", "journal", "mailstore.db", "certificate")} == {"ok"}


def test_nothing_runs_here(tmp_path: Path) -> None:
    for command in ("read", "send --to a@b.test"):
        refused = barid(*command.split(), "--data", str(tmp_path))
        assert refused.returncode == 1
        assert f"start it with `barid up --data {tmp_path}`" in refused.stderr


def test_doctor_finds_a_damaged_record_and_says_the_fix(tmp_path: Path) -> None:
    system = MailSystem(tmp_path)
    with system:
        for subject in ("one", "two", "three"):
            system.send("a@elsewhere.test", "bob@example.test", subject, "x" * 5000)
            system.expect(to="bob@example.test", subject=subject)
    pack = next((system.data / "journal").glob("smtp_ingress*/*.pack"))
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.write_bytes(content)
    ill = barid("doctor", "--data", str(system.data), "--deep")
    assert ill.returncode == 1
    assert "fail journal: 1 damaged records" in ill.stdout
    assert "restore these packs" in ill.stdout


def test_a_service_alone_says_which_setting_it_lacks(tmp_path: Path) -> None:
    lacking = barid("mda")
    assert lacking.returncode == 78
    assert "BARID_DATA is missing" in lacking.stderr
    wrong = barid("mda", env={"BARID_DATA": str(tmp_path), "BARID_GATHER_MS": "much"})
    assert wrong.returncode == 78
    assert "BARID_GATHER_MS" in wrong.stderr


def test_a_service_alone_waits_for_the_bus_and_ends_on_sigterm(tmp_path: Path) -> None:
    env = {**os.environ, "BARID_DATA": str(tmp_path), "BARID_BUS_URL": "nats://127.0.0.1:9"}
    with subprocess.Popen([BARID, "directory"], env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "waiting for the bus" not in process.stderr.readline():
            time.sleep(0)
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.read()
