"""The fixture `mail_system`, used as those use it who test software that sends mail."""

import smtplib

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
    with pytest.raises(NoSuchMail, match="something else"):
        mail_system.expect(to=bob, subject="never sent", within=0.1)
    mail_system.expect_none(bob, "never sent", within=0.1)


def test_a_refused_recipient_is_told_to_the_sender(mail_system: MailSystem) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail_system.send("a@elsewhere.test", "nobody-here@example.test", "hello?")


def test_the_api_says_no_in_words(mail_system: MailSystem) -> None:
    with pytest.raises(ApiError, match="404"):
        mail_system.api.get("/v1/accounts/nobody@example.test")
