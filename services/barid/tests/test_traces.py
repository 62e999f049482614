"""One trace for each mail, from the door to the mailbox: over the bus, through queues, and when the bus was lost."""

import imaplib
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from barid_runtime.tracing import trace_of
from barid_testing.mail_system import Account, MailSystem

from .otlp_receiver import Receiver, way

WAY_IN = [
    ("-", "smtp_ingress", "smtp.accept"),
    ("smtp.accept", "smtp_ingress", "journal.publish"),
    ("journal.publish", "mda", "mda.deliver"),
    ("mda.deliver", "mailstore", "mailstore.settle"),
    ("mailstore.settle", "mss", "imap.notify"),
]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSystem]:
    """A process for each service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BARID_OTLP_ENDPOINT", receiver.url)
        options = ["--set", "mailstore.reconcile_grace_at_start=1"]
        with MailSystem(tmp_path_factory.mktemp("traced"), options, processes=0) as system:
            yield system


def selected(system: MailSystem, account: Account) -> imaplib.IMAP4:
    client = imaplib.IMAP4(system.imap.host, system.imap.port, timeout=30)
    client.login(account.login, account.password)
    client.select()
    return client


def accepted(system: MailSystem, account: Account, subject: str) -> str:
    """The name that the 250 gives the mail."""
    with smtplib.SMTP(system.smtp.host, system.smtp.port, timeout=30) as client:
        client.ehlo()
        client.mail("ann@far.test")
        client.rcpt(account.address)
        code, words = client.data(f"From: ann@far.test\nSubject: {subject}\n\nx\n")
    assert code == 250
    (mail_id,) = re.findall(r"[0-9A-Z]{26}", words.decode())
    return str(mail_id)


def test_a_mail_is_one_trace_from_smtp_to_imap(traced: MailSystem, receiver: Receiver) -> None:
    account = traced.account()
    with selected(traced, account):
        traced.send("ann@far.test", account, "secret subject")
        mail_id = traced.expect(account, "secret subject").mail_id
        spans = receiver.wait_for(mail_id, *[name for _, _, name in WAY_IN])
    assert way(spans) == WAY_IN
    assert {span.trace for span in spans} == {trace_of(mail_id)}
    assert len({span.instance for span in spans}) == 4
    assert {span.attributes["barid.mail_id"] for span in spans} == {mail_id}
    assert spans[3].attributes["barid.outcome"] == "filed"
    assert all(span.began <= span.ended for span in spans)
    # Nothing of the mail's envelope or content goes to whoever reads traces.
    for word in (b"ann@", account.address.encode(), account.address.partition("@")[0].encode(), b"secret subject"):
        assert word not in receiver.raw


def test_mail_for_elsewhere_and_what_comes_of_a_redirect(traced: MailSystem, receiver: Receiver) -> None:
    account = traced.account()
    traced.sieve(account, 'redirect "elsewhere@far.test";')
    traced.send("ann@far.test", account, "passed on")
    child = traced.expect("elsewhere@far.test", "passed on").mail_id
    spans = receiver.wait_for(child, "outbox.journal", "relay.attempt", "relay.queue", "journal.publish")
    assert way(spans) == [
        ("-", "mailstore", "outbox.journal"),
        ("outbox.journal", "mailstore", "journal.publish"),
        ("journal.publish", "relay", "relay.queue"),
        ("relay.queue", "relay", "relay.attempt"),
    ]
    assert spans[-1].attributes["barid.captured"] == 1
    (parent,) = spans[0].links
    # Spans of several services come in any order, and some after those of the child.
    assert "smtp.accept" in {span.name for span in receiver.wait_for_trace(parent, "smtp.accept")}


def test_it_is_the_same_trace_when_the_bus_was_lost_and_the_journal_is_published_again(
    traced: MailSystem, receiver: Receiver
) -> None:
    account = traced.account()
    traced.send("ann@far.test", account, "warm")
    traced.expect(account, "warm")
    os.kill(traced.pids()["mda"], signal.SIGSTOP)
    mail_id = accepted(traced, account, "lost and found")
    receiver.wait_for(mail_id, "smtp.accept", "journal.publish")
    time.sleep(1.5)  # the publisher writes down that the bus has it
    traced.kill_all()
    shutil.rmtree(traced.data / "nats")
    traced.start()
    assert traced.expect(account, "lost and found", within=60).mail_id == mail_id
    spans = receiver.wait_for(mail_id, "mailstore.settle", "mailstore.republish", "mda.deliver")
    assert way(spans) == [
        *WAY_IN[:2],
        ("smtp.accept", "mailstore", "mailstore.republish"),
        ("mailstore.republish", "mda", "mda.deliver"),
        WAY_IN[3],
    ]


def test_without_a_receiver_nothing_of_it_is_loaded() -> None:
    code = "import sys, barid_mda.__main__, barid_smtp_ingress.__main__; print('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
