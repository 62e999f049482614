"""What the cluster size stands on stops answering, one thing after the other: clients hear within a deadline that it is
for now, what is accepted meanwhile arrives once, and all is as before when it goes on."""

import imaplib
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from barid_testing.mail_system import Account, MailSystem

from .leaks import assert_tells_none
from .letters import reply_to, soon, subjects, wait_for

DEADLINE = 35.0
"""Seconds until any of these answers must be there: none is a hang."""

PUT_SECONDS = 3
"""Here the store is given up soon, so that a test need not wait two minutes for the 451."""

SERVICES_WITH_PACKS = ("smtp_ingress", "mss")

GROUND = ("postgres", "rclone", "nats-server", "nats-server-2", "nats-server-3")


@pytest.fixture(scope="module")
def cluster(mail_systems: Callable[..., MailSystem]) -> Iterator[MailSystem]:
    puts = [part for name in SERVICES_WITH_PACKS for part in ("--set", f"{name}.s3_put_seconds={PUT_SECONDS}")]
    # At the log level that shows most: the last test reads all of it.
    system = mail_systems("--log-level", "debug", *puts, size="cluster", processes=0)
    yield system
    system.stop()


@pytest.fixture
def reader(cluster: MailSystem) -> Account:
    """Known to both access nodes: mail came for it by each."""
    account = cluster.account()
    for number, door in enumerate(cluster.endpoints("smtp")):
        with smtplib.SMTP(*door, timeout=DEADLINE) as client:
            client.sendmail("x@elsewhere.test", [account.address], f"Subject: before {number}\r\n\r\nx\r\n")
        cluster.expect(account, f"before {number}", within=30)
    return account


@contextmanager
def standing_still(cluster: MailSystem, name: str) -> Iterator[None]:
    """The process and those that it started, as PostgreSQL's for each connection."""
    pid = cluster.pids()[name]
    frozen = [pid, *children(pid)]
    for each in frozen:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(frozen):
            os.kill(each, signal.SIGCONT)


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it has ended
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


@contextmanager
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < DEADLINE


def inbox(cluster: MailSystem, reader: Account) -> imaplib.IMAP4:
    client = imaplib.IMAP4(*cluster.imap, timeout=2 * DEADLINE)
    client.login(reader.login, reader.password)
    client.select("INBOX")
    return client


def test_the_database_stands_still(cluster: MailSystem, reader: Account) -> None:
    stranger = cluster.account()
    with inbox(cluster, reader) as here, inbox(cluster, reader) as there:
        with standing_still(cluster, "postgres"), in_time(), ThreadPoolExecutor() as pool:
            asked = [
                pool.submit(here.status, "Trash", "(MESSAGES)"),
                pool.submit(there.store, "1", "+FLAGS", "\\Flagged"),
            ]
            unknown = pool.submit(reply_to, cluster, stranger)
            known = [pool.submit(reply_to, cluster, reader, f"while away {number}") for number in range(4)]
            for each in asked:
                status, text = each.result()
                assert (status, text[0][:13]) == ("NO", b"[UNAVAILABLE]")
            assert unknown.result()[0] == 451
            assert [each.result()[0] for each in known] == [250] * 4
        for client in (here, there):
            assert soon(lambda client=client: client.store("1", "+FLAGS", "\\Flagged")[0] == "OK", 30)
    wait_for(cluster, reader, {"before 0", "before 1", *(f"while away {number}" for number in range(4))}, within=60)
    assert soon(lambda: reply_to(cluster, stranger)[0] == 250, 30)


def test_the_object_store_stands_still(cluster: MailSystem, reader: Account) -> None:
    """Nothing is durable without it, so nothing is accepted; what was refused does not come."""
    with standing_still(cluster, "rclone"), in_time(), ThreadPoolExecutor() as pool:
        refused = [pool.submit(reply_to, cluster, reader, f"refused {number}") for number in range(4)]
        assert [each.result()[0] for each in refused] == [451] * 4
    assert soon(lambda: reply_to(cluster, reader, "after")[0] == 250, 30)
    wait_for(cluster, reader, {"before 0", "before 1", "after"}, within=60)
    assert subjects(cluster, reader).keys() == {"before 0", "before 1", "after"}


def test_what_the_ground_is_opened_with_is_told_to_nobody(cluster: MailSystem, reader: Account) -> None:
    """Last, and after each of them was lost: whoever complains of one may name the place, not the password."""
    lost = {name: cluster.kill(name) for name in ("postgres", "rclone", "nats-server")}
    for name, pid in lost.items():
        cluster.wait_restarted(name, pid)
    assert soon(lambda: reply_to(cluster, reader, "after the losses")[0] == 250, 30)
    assert soon(lambda: reply_to(cluster, cluster.account())[0] == 250, 30)

    database = (cluster.data / "postgres" / "password").read_text()
    store = (cluster.data / "objects" / "keys").read_text().split()[1]
    bus = [re.findall(r'password: "(.+?)"', path.read_text()) for path in cluster.data.glob("nats/*/nats.conf")]
    assert len(bus) == 3
    assert len({*bus[0]}) == len(bus[0]) > 5, "a password for each user, and that of the routes"
    secrets = {database, store, cluster.api_key}.union(*bus)

    for path in (cluster.log_file, *cluster.data.rglob("*.log"), *cluster.data.rglob("*.log.*")):
        assert_tells_none(path.read_text(errors="replace"), secrets)
    assert_tells_none(json.dumps([cluster.api.get(resource) for resource in ("/v1/status", "/v1/cluster")]), secrets)
    command = [sys.executable, "-m", "barid", "cluster", "status", "--data", str(cluster.data)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert "objects of" in shown.stdout
    assert_tells_none(shown.stdout + shown.stderr, secrets)
    pids = cluster.pids()
    assert {*GROUND} < pids.keys()
    for pid in {*pids.values()}:
        for each in (pid, *children(pid)):
            assert_tells_none(arguments(each), secrets)


def arguments(pid: int) -> str:
    """Everybody on the machine sees them."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""  # it has ended
