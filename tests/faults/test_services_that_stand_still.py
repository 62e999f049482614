"""Each process in turn stops answering, or dies: mail is taken where it can be, refused for now where it can't, and all
is as before once the process is back. Nothing that got 250 is lost or stands twice."""

import base64
import imaplib
import os
import signal
import smtplib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from barid_testing.mail_system import Account, MailSystem

from .letters import Load, reply_to, soon, subjects, wait_for
from .processes import standing_still

DEADLINE = 10.0
"""Seconds until a client hears that what it asks for is away: 5 that a question waits, and a busy machine."""

DEADLINE_OF_CHANGES = 35.0
"""The same for what is too dear to be tried twice: changes, and the checking of a password."""


SLOW = pytest.mark.slow
"""What a dead consumer held is given to its successor only after the time that an acknowledgement may take."""


@pytest.fixture
def reader(system: MailSystem) -> Account:
    """Known to the ingress already: mail came for it before."""
    account = system.account()
    system.send("x@elsewhere.test", account, "before")
    system.expect(account, "before")
    return account


def quickly(began: float) -> bool:
    return time.monotonic() - began < DEADLINE


def test_directory_stands_still(system: MailSystem, reader: Account) -> None:
    unknown, nobody = system.account(), "nobody@example.test"
    pids = system.pids()
    with standing_still(system, "directory"):
        began = time.monotonic()
        assert reply_to(system, reader, "while away")[0] == 250
        assert quickly(began)
        with smtplib.SMTP(*system.submission, timeout=30) as client, ThreadPoolExecutor() as pool:
            client.ehlo()
            began = time.monotonic()
            strangers = [pool.submit(reply_to, system, each) for each in (unknown, nobody)]
            code, text = client.docmd("AUTH PLAIN", plain(unknown))
            assert (code, text[:5]) == (454, b"4.7.0")
            for stranger in strangers:
                assert stranger.result() == (451, "4.4.3 Recipient cannot be verified now, try again later")
            assert quickly(began)
    assert soon(lambda: reply_to(system, unknown, "after")[0] == 250)
    assert reply_to(system, nobody)[0] == 550
    wait_for(system, reader, {"before", "while away"})
    assert system.pids() == pids


def test_directory_is_away_when_the_ingress_starts(system: MailSystem, reader: Account) -> None:
    """Known recipients outlive the process: they are kept in a file, every few seconds."""
    known = system.data / "smtp_ingress" / "known-recipients.jsonl"
    assert soon(lambda: reader.address in known.read_text(), 20)
    with standing_still(system, "directory"):
        pid = system.kill("smtp_ingress")
        system.wait_restarted("smtp_ingress", pid)
        assert soon(lambda: reply_to(system, reader, "to a new ingress")[0] == 250, 20)
    wait_for(system, reader, {"before", "to a new ingress"})


def test_mailstore_stands_still(system: MailSystem, reader: Account) -> None:
    pids = system.pids()
    with ExitStack() as stack:
        clients = [stack.enter_context(imaplib.IMAP4(*system.imap, timeout=30)) for _ in range(3)]
        for each in clients:
            each.login(reader.login, reader.password)
            each.select("INBOX")
        client, second, third = clients
        with standing_still(system, "mailstore"):
            for number in range(20):
                assert reply_to(system, reader, f"while away {number}")[0] == 250
            began = time.monotonic()
            with ThreadPoolExecutor() as pool:
                commands = {'STATUS "Trash" (MESSAGES)': client, 'SELECT "Drafts"': second, 'LIST "" "*"': third}
                for status, text in pool.map(lambda one: one[1].xatom(*one[0].split(" ", 1)), commands.items()):
                    assert (status, text[0][:13]) == ("NO", b"[UNAVAILABLE]")
            assert quickly(began)
        client.select("INBOX")
        assert soon(lambda: client.store("1", "+FLAGS", "\\Flagged")[0] == "OK")
    wait_for(system, reader, {"before", *(f"while away {number}" for number in range(20))})
    assert system.pids() == pids


@pytest.mark.parametrize("service", ["mda", "mss", "relay", "admin"])
def test_services_behind_the_journal_stand_still(system: MailSystem, reader: Account, service: str) -> None:
    pids = system.pids()
    with standing_still(system, service):
        for number in range(20):
            began = time.monotonic()
            assert reply_to(system, reader, f"while away {number}")[0] == 250
            assert time.monotonic() - began < 2
        time.sleep(1)
    wait_for(system, reader, {"before", *(f"while away {number}" for number in range(20))})
    assert system.pids() == pids


def test_relay_stands_still(system: MailSystem, reader: Account) -> None:
    """Mail for elsewhere is taken, and goes (here: is captured) when the relay is back, once."""
    with standing_still(system, "relay"):
        system.send(reader, "patient@abroad.test", "to a relay that is away")
    system.expect("patient@abroad.test", "to a relay that is away")
    assert len(system.captured("patient@abroad.test")) == 1


def test_the_bus_stands_still(system: MailSystem, reader: Account) -> None:
    pids = system.pids()
    with standing_still(system, "nats-server"):
        for number in range(20):
            began = time.monotonic()
            assert reply_to(system, reader, f"while away {number}")[0] == 250
            assert quickly(began)
        assert reply_to(system, "stranger@example.test")[0] == 451
        time.sleep(3)
    wait_for(system, reader, {"before", *(f"while away {number}" for number in range(20))}, within=60)
    assert system.pids() == pids


@pytest.mark.slow
def test_changes_and_log_ins_while_their_service_stands_still(system: MailSystem, reader: Account) -> None:
    with imaplib.IMAP4(*system.imap, timeout=60) as client:
        client.login(reader.login, reader.password)
        client.select("INBOX")
        with standing_still(system, "mailstore"):
            began = time.monotonic()
            status, text = client.store("1", "+FLAGS", "\\Flagged")
            assert (status, text[0][:13]) == ("NO", b"[UNAVAILABLE]")
            assert time.monotonic() - began < DEADLINE_OF_CHANGES
        assert soon(lambda: client.store("1", "+FLAGS", "\\Flagged")[0] == "OK")
    stranger = system.account()
    with standing_still(system, "directory"), imaplib.IMAP4(*system.imap, timeout=60) as client:
        began = time.monotonic()
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            client.login(stranger.login, stranger.password)
        assert time.monotonic() - began < DEADLINE_OF_CHANGES


@pytest.mark.parametrize(
    "victim",
    ["nats-server", "directory", pytest.param("mailstore", marks=SLOW), pytest.param("mda", marks=SLOW)],
)
def test_a_process_dies_under_load(system: MailSystem, reader: Account, victim: str) -> None:
    """Nothing is refused meanwhile: known recipients need nobody but the ingress."""
    load = Load(system, reader, senders=4)
    with load.running():
        time.sleep(0.5)
        pid = system.kill(victim)
        system.wait_restarted(victim, pid)
        time.sleep(1)
    assert len(load.accepted) > 50
    assert load.refused == {}
    wait_for(system, reader, {"before", *load.accepted}, within=60)


def test_the_ingress_dies_under_load(system: MailSystem, reader: Account) -> None:
    load = Load(system, reader, senders=4)
    with load.running():
        time.sleep(0.5)
        pid = system.kill("smtp_ingress")
        system.wait_restarted("smtp_ingress", pid)
        time.sleep(1)
    assert len(load.accepted) > 50
    wait_for(system, reader, {"before", *load.accepted}, within=60)


def test_the_database_is_locked(system: MailSystem, reader: Account) -> None:
    """Another program holds the index's write lock, as a backup or a curious administrator may."""
    pids = system.pids()
    with closing(sqlite3.connect(system.data / "mailstore.db", isolation_level=None, timeout=10)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        for number in range(20):
            assert reply_to(system, reader, f"while locked {number}")[0] == 250
        time.sleep(3)
        assert subjects(system, reader).keys() == {"before"}
        intruder.execute("ROLLBACK")
    wait_for(system, reader, {"before", *(f"while locked {number}" for number in range(20))})
    assert system.pids() == pids


def test_everything_stands_still_for_a_while(system: MailSystem, reader: Account) -> None:
    """As a virtual machine that is suspended: clocks jump, deadlines have passed."""
    pids = system.pids()
    load = Load(system, reader, senders=4)
    with load.running():
        time.sleep(0.3)
        for pid in set(pids.values()):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        for pid in set(pids.values()):
            os.kill(pid, signal.SIGCONT)
        time.sleep(1)
    wait_for(system, reader, {"before", *load.accepted}, within=60)
    assert system.pids() == pids


def plain(account: Account) -> str:
    return base64.b64encode(f"\0{account.login}\0{account.password}".encode()).decode()
