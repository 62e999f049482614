"""Python's imaplib reads what was filed, and changes it."""

import imaplib
import ssl
from collections.abc import Iterator

import pytest

from barid_testing.mail_system import Account, MailSystem


@pytest.fixture
def bob(mail_system: MailSystem) -> Account:
    account = mail_system.account()
    for number in range(3):
        mail_system.send("a@elsewhere.test", account, f"mail {number}", f"body {number}")
    mail_system.expect(account, "mail 2")
    return account


@pytest.fixture
def client(mail_system: MailSystem, bob: Account) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(*mail_system.imap, timeout=30) as client:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.starttls(context)
        client.login(bob.login, bob.password)
        yield client


def test_the_usual_mailboxes_are_there(client: imaplib.IMAP4) -> None:
    status, lines = client.list()
    assert status == "OK"
    text = b"\n".join(line for line in lines if isinstance(line, bytes))
    for name in (b"INBOX", b"Sent", b"Drafts", b"Trash", b"Junk"):
        assert name in text
    assert b"\\Trash" in text


def test_reading_marks_as_seen_and_survives_the_session(
    client: imaplib.IMAP4, mail_system: MailSystem, bob: Account
) -> None:
    assert client.select("INBOX") == ("OK", [b"3"])
    _, parts = client.fetch("2", "(BODY[TEXT])")
    assert isinstance(parts[0], tuple)
    assert parts[0][1].strip() == b"body 1"
    client.logout()
    with imaplib.IMAP4(*mail_system.imap, timeout=30) as again:
        again.login(bob.login, bob.password)
        again.select("INBOX")
        assert again.search(None, "SEEN") == ("OK", [b"2"])
        assert again.search(None, "SUBJECT", '"mail 2"') == ("OK", [b"3"])


def test_delete_and_expunge(client: imaplib.IMAP4) -> None:
    client.select("INBOX")
    client.store("1,3", "+FLAGS", "\\Deleted")
    assert client.expunge()[0] == "OK"
    assert client.status("INBOX", "(MESSAGES)")[1] == [b'"INBOX" (MESSAGES 1)'] or client.status("INBOX", "(MESSAGES)")[
        1
    ] == [b"INBOX (MESSAGES 1)"]


def test_append_and_copy(client: imaplib.IMAP4) -> None:
    assert client.append("Drafts", "(\\Draft)", "", b"Subject: draft\r\n\r\nnot yet\r\n")[0] == "OK"
    client.select("INBOX")
    assert client.copy("1:2", "Archive")[0] == "OK"
    client.select("Archive")
    _, parts = client.fetch("1:*", "(RFC822.HEADER)")
    assert [b"mail 0" in part[1] or b"mail 1" in part[1] for part in parts if isinstance(part, tuple)] == [True, True]
    client.select("Drafts")
    _, parts = client.fetch("1", "(FLAGS BODY.PEEK[])")
    assert isinstance(parts[0], tuple)
    assert parts[0][1] == b"Subject: draft\r\n\r\nnot yet\r\n"


def test_a_wrong_password_is_refused(mail_system: MailSystem, bob: Account) -> None:
    with imaplib.IMAP4(*mail_system.imap, timeout=30) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(bob.login, "wrong")
