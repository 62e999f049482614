"""The fixture `mail_system`, used as those use it who test software that sends mail."""

import asyncio
import smtplib
import subprocess
import sys

import pytest

from barid_testing.api import ApiError
from barid_testing.mail_system import MailSystem, NoSuchMail


def test_a_mail_is_expected_and_comes(mail_system: MailSystem) -> None:
    alice, bob = mail_system.account(), mail_system.account()
    message_id = mail_system.send(alice, bob, "Welcome", "Dear Bob, …")

    mail = mail_system.expect(to=bob, subject="Welcome", within=5)

    assert mail.text.strip() == "Dear Bob, …"
    assert mail.content["From"] == alice.address
    assert mail.message_id == message_id
    assert (mail.where, mail.mailbox) == ("mailbox", "INBOX")


def test_mail_from_elsewhere_needs_no_log_in(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    mail_system.send("shop@elsewhere.test", bob, "Your order")
    assert mail_system.expect(to=bob, sender="shop@elsewhere.test").subject == "Your order"


def test_mail_to_elsewhere_is_captured_not_sent(mail_system: MailSystem) -> None:
    alice = mail_system.account()
    mail_system.send(alice, "customer@elsewhere.test", "Your invoice 4711")
    mail = mail_system.expect(to="customer@elsewhere.test", subject="invoice 4711")
    assert mail.where == "captured"
    assert [each.mail_id for each in mail_system.captured("customer@elsewhere.test", "4711")] == [mail.mail_id]


def test_what_became_of_a_mail_is_told(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    mail_system.sieve(bob, 'require "fileinto"; if header :contains "Subject" "[list]" { fileinto "Junk"; }')
    mail_system.send("list@elsewhere.test", bob, "[list] news")
    mail = mail_system.expect(to=bob, subject="[list]")
    assert mail.mailbox == "Junk"
    assert [step["what"] for step in mail_system.trace(mail)][-1:] == ["filed"]


def test_the_next_mail_after_one(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    mail_system.send("a@elsewhere.test", bob, "one")
    first = mail_system.expect(to=bob)
    mail_system.send("a@elsewhere.test", bob, "two")
    assert mail_system.expect(to=bob, after=first.mail_id).subject == "two"


def test_waiting_in_vain_says_what_came_instead(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    mail_system.send("a@elsewhere.test", bob, "something else")
    mail_system.expect(to=bob)
    with pytest.raises(NoSuchMail) as said:
        mail_system.expect(to=bob, subject="never sent", sender="b@", within=0.1)
    wanted, heading, line = str(said.value).splitlines()
    assert wanted == f"no such mail to {bob.address} within 0.1 s: subject 'never sent', sender 'b@'"
    assert heading == f"what came to {bob.address}:"
    assert line.startswith("  'something else' in INBOX, <")
    mail_system.expect_none(bob, "never sent", within=0.1)


def test_waiting_in_vain_for_an_alias_and_for_somebody_elsewhere(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    alias = f"alias-of-{bob.address}"
    mail_system.api.send("PUT", f"/v1/aliases/{alias}", {"targets": [bob.address, "far@elsewhere.test"]})
    mail_system.send("a@elsewhere.test", alias, "for two")
    mail_system.expect(to="far@elsewhere.test", subject="for two")
    mail_system.expect(to=bob)
    with pytest.raises(NoSuchMail, match=r"(?s)'for two' in INBOX.*'for two' to far@elsewhere.test"):
        mail_system.expect(to=alias, subject="never sent", within=0.1)
    with pytest.raises(NoSuchMail, match=r"nothing came to lea@elsewhere.test; captured for others:"):
        mail_system.expect(to="lea@elsewhere.test", within=0.1)
    with pytest.raises(ApiError, match=r"no mail can come to nobody@example.test"):
        mail_system.expect(to="nobody@example.test", within=5)


async def test_an_event_loop_goes_on_while_a_mail_is_expected(mail_system: MailSystem) -> None:
    bob = mail_system.account()
    expected = asyncio.create_task(mail_system.aexpect(bob, "later", within=20))
    await asyncio.sleep(0.1)
    assert not expected.done()
    await asyncio.to_thread(mail_system.send, "a@elsewhere.test", bob, "later")
    assert (await expected).subject == "later"


def test_a_program_under_test_is_told_by_its_environment(mail_system: MailSystem) -> None:
    """As a program in any language would find it: no Barid in there."""
    bob = mail_system.account()
    program = (
        "import os, smtplib;"
        "client = smtplib.SMTP(os.environ['SMTP_HOST'], int(os.environ['SMTP_PORT']));"
        f"client.sendmail('a@elsewhere.test', ['{bob.address}'], b'Subject: from a program\\r\\n\\r\\nhi')"
    )
    subprocess.run([sys.executable, "-I", "-c", program], env=mail_system.environment, check=True)
    assert mail_system.expect(to=bob).subject == "from a program"
    assert {"IMAPS_PORT", "POP3_HOST", "LMTP_PORT", "BARID_API", "BARID_API_KEY"} <= set(mail_system.environment)


def test_a_refused_recipient_is_told_to_the_sender(mail_system: MailSystem) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail_system.send("a@elsewhere.test", "nobody-here@example.test", "hello?")


def test_the_api_says_no_in_words(mail_system: MailSystem) -> None:
    with pytest.raises(ApiError, match="404"):
        mail_system.api.get("/v1/accounts/nobody@example.test")
