"""The commands over the admin API, typed as a person would, against a running system."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from barid.app import app
from barid_testing.mail_system import MailSystem

Run = Callable[..., "Outcome"]


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        assert self.code == 0, self.err
        return self.out.splitlines()


def barid(*words: str, **environment: str) -> Outcome:
    """In a process of its own, with no settings but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BARID_")}
    command = [sys.executable, "-m", "barid", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=kept | environment, check=False)
    assert "Traceback" not in ended.stderr, ended.stderr
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def run(mail_system: MailSystem, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("domain", "list")`, on the data folder of the running system, in this process: it is called often."""
    for name in ("BARID_API", "BARID_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    runner = CliRunner(env={"BARID_DATA": str(mail_system.data)})

    def command(*words: str, stdin: str = "") -> Outcome:
        ended = runner.invoke(app, words, input=stdin)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Outcome(ended.exit_code, ended.stdout, ended.stderr)

    return command


def test_nobody_waits_for_guessing_at_passwords(run: Run) -> None:
    assert run("bans", "list", "--json").json == []
    assert run("bans", "list").err == "nobody waits\n"
    lifted = run("bans", "lift", "2001:db8::/64", "--login", "bob@example.test")
    assert lifted.code == 1
    assert "nothing is counted against it" in lifted.err


def test_a_user_changes_their_own_password(run: Run, mail_system: MailSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    bob = mail_system.account()
    monkeypatch.setenv("BARID_API", mail_system.environment["BARID_API"])  # no key
    words = ("account", "passwd", bob.address, "--password-stdin")
    assert run(*words, stdin=f"{bob.password}\nopen sesame\n").lines == [f"{bob.address} has a new password"]
    said = run(*words, stdin=f"{bob.password}\nanother one\n")
    assert (said.code, said.err) == (1, "barid: wrong login or password\n")
    assert run(*words, stdin="open sesame\nshort\n").err == "barid: new_password: has at least 8 characters\n"
    assert run("account", "passwd", bob.address).code == 2


def test_domains_and_accounts(run: Run) -> None:
    assert run("domain", "add", "Commands.Test").lines == ["commands.test is ours"]
    assert "commands.test" in run("domain", "list").out
    made = run("account", "add", "eve@commands.test", "--quota", "2G")
    assert made.lines[0].startswith("eve@commands.test can log in; password: ")
    assert (
        run("account", "add", "fay@commands.test", "--password-stdin", "--json", stdin="very se cret\n").json["quota"]
        == 0
    )
    accounts = run("account", "list", "--domain", "commands.test", "--json").json
    assert [(account["address"], account["quota"]) for account in accounts] == [
        ("eve@commands.test", 2 << 30),
        ("fay@commands.test", 0),
    ]
    assert run("account", "quota", "eve@commands.test", "500M").lines == ["eve@commands.test: 500.0 MiB"]
    assert run("account", "disable", "eve@commands.test").code == 0
    shown = run("account", "show", "eve@commands.test")
    assert "(disabled, id " in shown.lines[0]
    assert any(line.startswith("INBOX ") for line in shown.lines)
    assert run("account", "enable", "eve@commands.test").code == 0
    assert run("account", "password", "eve@commands.test", "--password-stdin", stdin="other words\n").code == 0
    refused = run("account", "remove", "eve@commands.test")
    assert (refused.code, refused.err) == (2, "barid: it can't be undone: add --yes\n")
    assert run("account", "remove", "eve@commands.test", "--yes").lines == ["eve@commands.test is deleted"]
    refused = run("domain", "remove", "commands.test")
    assert (refused.code, refused.out) == (1, "")
    assert "still has accounts" in refused.err


def test_aliases_and_where_they_lead(mail_system: MailSystem, run: Run) -> None:
    address = mail_system.account().address
    alias = "all-" + address
    assert run("alias", "set", alias, address, "x@else.test").lines == [f"{alias} leads to {address}, x@else.test"]
    assert run("alias", "show", alias).lines == [address, "x@else.test"]
    assert any(line.split() == [alias, address + ",", "x@else.test"] for line in run("alias", "list").lines)
    explained = run("explain", alias, "--json").json
    assert explained["status"] == "local"
    assert run("explain", alias).lines == explained["steps"]
    assert run("alias", "set", f"more-{alias}", alias).code == 0
    refused = run("alias", "remove", alias)
    assert refused.code == 1
    assert f"still named by: alias more-{alias}" in refused.err
    assert run("alias", "remove", f"more-{alias}").code == 0
    assert run("account", "remove", address, "--yes").code == 1
    assert run("alias", "remove", alias, "--cascade").code == 0
    gone = run("alias", "show", alias)
    assert (gone.code, gone.err) == (1, f"barid: there is no alias {alias}\n")


def test_scripts(mail_system: MailSystem, run: Run, tmp_path: Path) -> None:
    address = mail_system.account().address
    file = tmp_path / "junk.sieve"
    file.write_text('fileinto "Junk";\n')
    refused = run("sieve", "put", address, str(file))
    assert refused.code == 1
    assert refused.err.startswith("barid: line 1, ")
    file.write_text('require "fileinto";\nfileinto "Junk";\n')
    assert run("sieve", "put", address, str(file)).lines == ["junk is run for new mail"]
    assert run("sieve", "put", address, "-", "--name", "none", "--no-activate", stdin="keep;").code == 0
    assert run("sieve", "list", address, "--json").json == [
        {"name": "junk", "active": True},
        {"name": "none", "active": False},
    ]
    assert run("sieve", "show", address, "junk").out == file.read_text()
    assert run("sieve", "activate", address, "none").code == 0
    assert run("sieve", "deactivate", address).code == 0
    assert run("sieve", "remove", address, "none").code == 0
    assert run("sieve", "put", address, str(tmp_path / "missing")).code == 2


def test_waiting_and_tracing(mail_system: MailSystem, run: Run) -> None:
    sender, address = mail_system.account(), mail_system.account().address
    with ThreadPoolExecutor() as pool:
        words = ("wait", address, "--subject", "soon", "--within", "30", "--json")
        waiting = pool.submit(barid, *words, BARID_DATA=str(mail_system.data))
        time.sleep(0.5)
        message_id = mail_system.send(sender, [address, "bo@else.test"], "Very soon")
        arrival = waiting.result().json
    assert arrival["message_id"] == message_id
    mail_system.expect("bo@else.test", message_id=message_id)
    by_message_id = run("trace", message_id, "--json").json
    assert [step["what"] for step in by_message_id["steps"]] == ["accepted", "filed", "captured"] or [
        step["what"] for step in by_message_id["steps"]
    ] == ["accepted", "captured", "filed"]
    shown = run("trace", arrival["mail_id"].lower()).lines
    assert shown[0].split() == ["at", "what", "address", "detail"]
    assert any(f" filed     {address}  " in line for line in shown)
    captured = run("captured", "list", "--to", "bo@else.test", "--json").json
    assert captured[0]["mail_id"] == arrival["mail_id"]
    assert "Very soon" in run("captured", "list", "--subject", "very SOON").out
    assert "Subject: Very soon\n" in run("captured", "show", arrival["mail_id"]).out
    late = run("wait", address, "--subject", "never", "--within", "0")
    assert late.code == 1
    assert "`barid trace`" in late.err
    assert run("wait", address, "--within", "1000").code == 2
    assert run("trace", "nobody@nowhere.test").code == 1


def test_subjects_cannot_drive_the_terminal(mail_system: MailSystem, run: Run) -> None:
    sender = mail_system.account()
    message = f"Subject: \x1b[2Jboo\r\nFrom: {sender.address}\r\n\r\nx\r\n".encode()
    mail_system.send(sender, "esc@else.test", message=message)
    mail_system.expect("esc@else.test")
    listed = run("captured", "list", "--to", "esc@else.test").out
    assert "boo" in listed
    assert "\x1b" not in listed


def test_queue_and_held(run: Run) -> None:
    assert run("queue", "list", "--json").json == []
    assert run("held", "list").code == 0
    assert run("queue", "retry", "--all", "--json").json == {"changed": 0}
    nothing = run("queue", "bounce")
    assert (nothing.code, nothing.err) == (2, "barid: name mails, or give --all; one of them\n")
    unknown = run("held", "release", "0" * 26)
    assert unknown.code == 1
    assert run("held", "discard", "0" * 26 + "/0").code == 1
    assert run("held", "discard", "0/x").code == 2


def test_status(run: Run) -> None:
    assert run("status", "--json").json["state"] == "up"
    names = ("bus", "admin", "directory", "mailstore", "mda", "mss", "relay", "smtp_ingress")
    assert sorted(line.split()[:2] for line in run("status").lines[1:]) == sorted([name, "up"] for name in names)


def test_cluster_status(run: Run) -> None:
    shown = run("cluster", "status")
    for words in ("smtp_ingress", "stream MAIL", "alone", "mailstore.db", "directory.db", "redelivered"):
        assert words in shown.out
    told = run("cluster", "status", "--json").json
    assert (told["state"], told["silent"]) == ("up", [])
    assert {each["service"] for each in told["replicas"]} >= {"mda", "relay", "admin"}
    assert [each["what"] for each in told["leases"] if each["service"] == "relay"] == []


def test_where_the_api_is(mail_system: MailSystem, tmp_path: Path) -> None:
    nowhere = barid("domain", "list", "--data", str(tmp_path))
    assert nowhere.code == 3
    assert "`barid up`" in nowhere.err
    url = f"http://{mail_system.admin.host}:{mail_system.admin.port}"
    assert barid("domain", "list", "--api", url, BARID_API_KEY=mail_system.api_key).code == 0
    keyless = barid("domain", "list", "--api", url)
    assert (keyless.code, keyless.err) == (2, f"barid: no API key for {url}: give --api-key or BARID_API_KEY\n")
    wrong = barid("domain", "list", BARID_API=url, BARID_API_KEY="wrong")
    assert wrong.code == 1
    assert "--api-key" in wrong.err
    # A system that was killed leaves the address of its API behind.
    (tmp_path / "admin.json").write_text('{"url": "http://127.0.0.1:1", "api_key": "k"}')
    killed = barid("domain", "list", "--data", str(tmp_path))
    assert killed.code == 3
    assert "no answer from http://127.0.0.1:1" in killed.err
    # The key of one system is not shown to another.
    other = barid("domain", "list", "--data", str(tmp_path), "--api", url)
    assert other.code == 2
    assert barid("domain", "list", "--api", "ftp://x", "--api-key", "k").code == 2


def test_problems_as_json(run: Run) -> None:
    refused = run("account", "show", "nobody@example.test", "--json")
    assert (refused.code, refused.out) == (1, "")
    assert json.loads(refused.err)["type"] == "/problems/not-found"


def test_wrong_usage(run: Run) -> None:
    assert run("domain", "explode").code == 2
    assert run("domain", "add").code == 2
    assert run("account", "add", "a@example.test", "--quota", "lots").code == 2
    assert barid("queue").code == 2
    groups = {line.split()[0] for line in barid("--help").out.splitlines() if line.startswith("  ")}
    assert {"domain", "account", "alias", "sieve", "queue", "held", "captured", "trace", "explain", "wait"} <= groups


def test_the_reader_may_stop_reading(mail_system: MailSystem) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m barid account list --json | head -c 1"],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ, BARID_DATA=str(mail_system.data)),
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[", "")
