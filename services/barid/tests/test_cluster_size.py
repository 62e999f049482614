"""`barid up --size cluster`: all that the cluster size needs comes along, and anything of it may die."""

import imaplib
import json
import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from barid_testing.mail_system import Account, MailSystem

from .otlp_receiver import Receiver, way

GROUND = ("nats-server", "nats-server-2", "nats-server-3", "postgres", "rclone")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(receiver: Receiver) -> Iterator[MailSystem]:
    # Not pytest's folder: it is closed to the user that root's PostgreSQL runs as.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="barid-") as folder:
        patch.setenv("BARID_OTLP_ENDPOINT", receiver.url)
        Path(folder).chmod(0o711)
        with MailSystem(Path(folder), ["--size", "cluster", "--replicas", "mda=1"], processes=0) as system:
            yield system


def running(cluster: MailSystem) -> dict[str, Any]:
    return dict(json.loads((cluster.data / "running.json").read_text()))


def submit(address: str, account: Account, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = account.address, account.address, subject
    message.set_content("x")
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as client:
        client.login(account.login, account.password)
        client.send_message(message)


def subjects(address: str, account: Account) -> list[str]:
    host, _, port = address.rpartition(":")
    with imaplib.IMAP4(host, int(port), timeout=30) as client:
        client.login(account.login, account.password)
        client.select(readonly=True)
        _, found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [part[1].decode().strip().removeprefix("Subject: ") for part in found if isinstance(part, tuple)]


def test_every_replica_takes_mail_and_shows_it(cluster: MailSystem) -> None:
    found = running(cluster)
    assert {*GROUND, "smtp_ingress-2", "mss-2", "directory-2", "mda"} <= found["pids"].keys()
    assert "mda-2" not in found["pids"]
    assert len(found["bus"].split(",")) == 3
    listeners = found["listeners"]
    assert listeners["mss"]["imap"] == found["imap"] != listeners["mss-2"]["imap"]
    account = cluster.account()
    for number, member in enumerate(("smtp_ingress", "smtp_ingress-2")):
        submit(listeners[member]["submission"], account, f"by {number}")
        cluster.expect(account, f"by {number}", within=30)
    for member in ("mss", "mss-2"):
        assert sorted(subjects(listeners[member]["imap"], account)) == ["by 0", "by 1"]


def test_packs_are_in_the_bucket(cluster: MailSystem) -> None:
    account = cluster.account()
    submit(running(cluster)["submission"], account, "kept")
    cluster.expect(account, "kept", within=30)
    assert list((cluster.data / "objects" / "buckets").rglob("*.pack"))


def test_a_mail_is_one_trace_whichever_replicas_have_it_in_hand(cluster: MailSystem, receiver: Receiver) -> None:
    account = cluster.account()
    doors = running(cluster)["listeners"]
    wanted = ["smtp.accept", "journal.publish", "mda.deliver", "mailstore.settle"]
    accepting = set()
    for number, member in enumerate(("smtp_ingress", "smtp_ingress-2")):
        submit(doors[member]["submission"], account, f"traced {number}")
        mail_id = cluster.expect(account, f"traced {number}", within=30).mail_id
        spans = [span for span in receiver.wait_for(mail_id, *wanted) if span.name in wanted]
        assert [name for _, _, name in way(spans)] == wanted
        assert [parent for parent, _, _ in way(spans)] == ["-", *wanted[:-1]]
        assert len({span.instance for span in spans}) == 3
        accepting.add(spans[0].instance)
    assert len(accepting) == 2


def test_cluster_status_tells_of_one_that_stands_still(cluster: MailSystem) -> None:
    def told() -> dict[str, Any]:
        return dict(cluster.api.get("/v1/cluster"))

    found = told()
    assert (found["state"], found["silent"]) == ("up", [])
    assert sorted(each["state"] for each in found["bus"]["servers"]) == ["in-sync", "in-sync", "leader"]
    assert {each["problem"] for each in [*found["databases"], *found["objects"], *found["bus"]["consumers"]]} == {""}
    members = [each["replica"] for each in found["leases"] if each["what"] == "member"]
    stopped = running(cluster)["pids"]["relay-2"]
    assert sum(name.endswith(f"/{stopped}") for name in members) == 1
    os.kill(stopped, signal.SIGSTOP)
    try:
        found = told()
        assert [each["name"].rpartition("/")[2] == str(stopped) for each in found["replicas"]].count(True) == 0
        assert [each["replica"] for each in found["leases"] if each["what"] == "member"].count(None) == 1
    finally:
        os.kill(stopped, signal.SIGCONT)


@pytest.mark.parametrize("name", [*GROUND, "directory", "mailstore", "mda", "relay-2"])
def test_what_is_killed_comes_back_and_mail_goes_on(cluster: MailSystem, name: str) -> None:
    account = cluster.account()
    submit(running(cluster)["submission"], account, "before")
    cluster.expect(account, "before", within=30)
    cluster.wait_restarted(name, cluster.kill(name))
    until = time.monotonic() + 30
    while True:
        try:
            submit(running(cluster)["submission"], account, "after")
            break
        except smtplib.SMTPException as refused:
            # For now, and never for good.
            code = getattr(refused, "smtp_code", 451)
            assert 400 <= code < 500, refused
            assert time.monotonic() < until
            time.sleep(0.2)
    cluster.expect(account, "after", within=30)


def scale(cluster: MailSystem, *wanted: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "barid", "cluster", "scale", *wanted, "--data", str(cluster.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_processes_are_added_and_drained_while_it_runs(cluster: MailSystem) -> None:
    before = running(cluster)["pids"]
    done = scale(cluster, "mss=3", "mda=2")
    assert (done.returncode, done.stdout) == (0, "mss: 3 processes\nmda: 2 processes\n"), done.stderr
    found = running(cluster)
    assert {"mss-3", "mda-2"} <= found["pids"].keys()
    account = cluster.account()
    submit(found["submission"], account, "seen by the third")
    cluster.expect(account, "seen by the third", within=30)
    assert subjects(found["listeners"]["mss-3"]["imap"], account) == ["seen by the third"]

    host, _, port = found["listeners"]["mss-3"]["imap"].rpartition(":")
    client = imaplib.IMAP4(host, int(port), timeout=30)
    client.login(account.login, account.password)
    assert scale(cluster, "mss=2", "mda=1").returncode == 0
    with pytest.raises((imaplib.IMAP4.abort, OSError)):  # BYE: it goes on with another
        client.noop()
    client.shutdown()
    found = running(cluster)
    assert found["pids"] == before
    assert "mss-3" not in found["listeners"]
    assert scale(cluster, "mss=3").returncode == 0
    assert running(cluster)["listeners"]["mss-3"]["imap"] == f"{host}:{port}"
    assert scale(cluster, "mss=2").returncode == 0


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ("mda=0", 1, "mda=0: between 1 and 8"),
        ("mda", 2, "mda: the shape is SERVICE=N"),
        ("mtp=2", 1, "mtp: there is no such service"),
    ],
)
def test_a_number_that_can_not_be(cluster: MailSystem, wanted: str, code: int, said: str) -> None:
    before = running(cluster)["pids"]
    done = scale(cluster, wanted)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
    assert running(cluster)["pids"] == before


def test_nothing_of_it_is_left_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="barid-") as folder:
        Path(folder).chmod(0o711)
        with MailSystem(Path(folder), ["--size", "cluster"], processes=1) as system:
            pids = set(system.pids().values())
            assert len(pids) == 1 + len(GROUND)
            account = system.account()
            system.send(account, account, "hello")
            system.expect(account, "hello", within=30)
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
            time.sleep(0.05)
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert "Traceback" not in system.log(1_000_000)
