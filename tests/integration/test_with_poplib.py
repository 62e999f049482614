"""Python's poplib fetches and deletes."""

import poplib
import ssl

import pytest

from barid_testing.mail_system import Account, MailSystem


@pytest.fixture
def bob(mail_system: MailSystem) -> Account:
    account = mail_system.account()
    for number in range(3):
        mail_system.send("a@elsewhere.test", account, f"mail {number}", f".dots at the start {number}")
    mail_system.expect(account, "mail 2")
    return account


def test_retrieve_and_delete(mail_system: MailSystem, bob: Account) -> None:
    client = poplib.POP3(*mail_system.pop3, timeout=30)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.stls(context)
    client.user(bob.login)
    client.pass_(bob.password)
    assert client.stat()[0] == 3
    _, lines, size = client.retr(2)
    assert b".dots at the start 1" in lines
    assert size == sum(len(line) + 2 for line in lines) == int(client.list(2).split()[2])
    first = client.uidl()[1]
    client.dele(1)
    client.quit()

    again = poplib.POP3(*mail_system.pop3, timeout=30)
    again.user(bob.login)
    again.pass_(bob.password)
    assert [line.split()[1] for line in again.uidl()[1]] == [line.split()[1] for line in first[1:]]
    _, head, _ = again.top(1, 0)
    assert b"Subject: mail 1" in head
    assert not any(b"dots" in line for line in head)
    again.quit()


def test_a_session_that_breaks_off_deletes_nothing(mail_system: MailSystem, bob: Account) -> None:
    client = poplib.POP3(*mail_system.pop3, timeout=30)
    client.user(bob.login)
    client.pass_(bob.password)
    client.dele(1)
    client.close()
    again = poplib.POP3(*mail_system.pop3, timeout=30)
    again.user(bob.login)
    again.pass_(bob.password)
    assert again.stat()[0] == 3
    again.quit()
