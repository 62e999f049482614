"""Python's smtplib submits, in each of the three ways; and gives mail to the doors that need no log-in."""

import smtplib
import ssl

import pytest

from .conftest import World

MAIL = "From: {0}\r\nTo: {1}\r\nSubject: {2}\r\n\r\nhello\r\n"


@pytest.fixture
def context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_submission_with_starttls(world: World, context: ssl.SSLContext) -> None:
    alice, bob = world.here.account(), world.reader()
    with smtplib.SMTP(*world.here.submission, timeout=30) as client:
        client.starttls(context=context)
        client.login(alice.login, alice.password)
        client.sendmail(alice.address, [bob.address], MAIL.format(alice.address, bob.address, "by 587"))
    assert world.there.expect(bob, "by 587", within=20)


def test_submission_over_tls(world: World, context: ssl.SSLContext) -> None:
    alice, bob = world.here.account(), world.reader()
    with smtplib.SMTP_SSL(*world.here.submissions, timeout=30, context=context) as client:
        client.login(alice.login, alice.password)
        client.sendmail(alice.address, [bob.address], MAIL.format(alice.address, bob.address, "by 465"))
    assert world.there.expect(bob, "by 465", within=20)


def test_without_a_log_in_nothing_is_relayed(world: World) -> None:
    for door in (world.here.smtp, world.here.submission):
        with smtplib.SMTP(*door, timeout=30) as client, pytest.raises(smtplib.SMTPException):
            client.sendmail("a@x.test", ["dora@outside.test"], b"Subject: x\r\n\r\n")


def test_nobody_writes_as_somebody_else(world: World) -> None:
    alice, carol = world.here.account(), world.here.account()
    with smtplib.SMTP(*world.here.submission, timeout=30) as client:
        client.login(alice.login, alice.password)
        with pytest.raises(smtplib.SMTPException):
            client.sendmail(carol.address, [carol.address], b"Subject: x\r\n\r\n")


def test_lmtp_answers_for_each_recipient(world: World) -> None:
    carol, dave = world.here.account(), world.here.account()
    with smtplib.LMTP(*world.here.lmtp, timeout=30) as client:
        client.ehlo("neighbour.test")
        client.mail("a@x.test")
        for account in (carol, dave):
            assert client.rcpt(account.address)[0] == 250
        assert client.rcpt("nobody-at-all@example.test")[0] == 550
        # One reply for each recipient that was taken (RFC 2033 §4.2); smtplib reads one of them itself.
        assert client.data(b"Subject: by LMTP\r\n\r\n")[0] == 250
        assert client.getreply()[0] == 250
    for account in (carol, dave):
        assert world.here.expect(account, "by LMTP")
