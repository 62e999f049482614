"""IMAPClient: IDLE, MOVE, UIDPLUS, CONDSTORE, folders in other scripts."""

import threading
from collections.abc import Iterator

import pytest
from imapclient import IMAPClient
from imapclient.imapclient import SEEN

from barid_testing.mail_system import Account, MailSystem


@pytest.fixture
def bob(mail_system: MailSystem) -> Account:
    return mail_system.account()


@pytest.fixture
def client(mail_system: MailSystem, bob: Account) -> Iterator[IMAPClient]:
    with IMAPClient(*mail_system.imap, ssl=False, timeout=30) as client:
        client.login(bob.login, bob.password)
        yield client


def test_idle_hears_of_a_mail_as_it_is_filed(client: IMAPClient, mail_system: MailSystem, bob: Account) -> None:
    client.select_folder("INBOX")
    client.idle()
    sending = threading.Thread(target=mail_system.send, args=("a@elsewhere.test", bob, "news"))
    sending.start()
    heard = client.idle_check(timeout=10)
    sending.join()
    client.idle_done()
    assert (1, b"EXISTS") in heard
    envelope = client.fetch([1], ["ENVELOPE"])[client.search("ALL")[0]][b"ENVELOPE"]
    assert envelope.subject == b"news"


def test_a_message_moves(client: IMAPClient, mail_system: MailSystem, bob: Account) -> None:
    assert b"MOVE" in client.capabilities()
    mail_system.send("a@elsewhere.test", bob, "to be moved")
    mail_system.expect(bob, "to be moved")
    client.select_folder("INBOX")
    uid = client.search(["SUBJECT", "to be moved"])[0]
    client.move([uid], "Trash")
    assert client.search("ALL") == []
    client.select_folder("Trash")
    assert len(client.search("ALL")) == 1


def test_flags_are_kept_with_their_modseq(client: IMAPClient, mail_system: MailSystem, bob: Account) -> None:
    mail_system.send("a@elsewhere.test", bob, "flagged")
    mail_system.expect(bob, "flagged")
    client.select_folder("INBOX")
    uid = client.search("ALL")[0]
    before = client.fetch([uid], ["MODSEQ"])[uid][b"MODSEQ"][0]
    client.add_flags([uid], [SEEN, b"$Work"])
    after = client.fetch([uid], ["MODSEQ", "FLAGS"])[uid]
    assert after[b"MODSEQ"][0] > before
    assert {SEEN, b"$Work"} <= set(after[b"FLAGS"])


def test_folders_of_ones_own(client: IMAPClient) -> None:
    client.create_folder("Projekte/Größe")
    client.subscribe_folder("Projekte/Größe")
    names = [name for _, _, name in client.list_folders()]
    assert "Projekte/Größe" in names
    uid = client.append("Projekte/Größe", b"Subject: note\r\n\r\nx\r\n")
    assert uid is not None
    client.rename_folder("Projekte/Größe", "Projekte/Weite")
    assert client.folder_status("Projekte/Weite", ["MESSAGES"])[b"MESSAGES"] == 1
    client.delete_folder("Projekte/Weite")
    assert "Projekte/Weite" not in [name for _, _, name in client.list_folders()]
