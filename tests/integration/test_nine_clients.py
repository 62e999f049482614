"""Every client takes part in a walk from one domain to the other: it submits here, or reads there what came over the
relay and through the reader's script."""

import imaplib
import poplib
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import imapclient
import pytest

from barid_testing.mail_system import Account, MailSystem

from .conftest import World
from .test_with_mbsync import CONFIG as MBSYNC
from .test_with_mutt import configure as mutt_config

Run = Callable[..., str]
Program = Callable[[str], str]


def by_imaplib(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    with imaplib.IMAP4(there.imap.host, there.imap.port) as client:
        client.login(bob.login, bob.password)
        client.select("Archive", readonly=True)
        _, found = client.search(None, "FLAGGED", "SUBJECT", "walk")
        _, data = client.fetch(found[0].decode(), "(BODY.PEEK[])")
        assert isinstance(data[0], tuple)
        return data[0][1]


def by_imapclient(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    with imapclient.IMAPClient(there.imap.host, there.imap.port, ssl=False) as client:
        client.login(bob.login, bob.password)
        client.select_folder("Archive", readonly=True)
        (uid,) = client.search(["FLAGGED", "SUBJECT", "walk"])
        raw: bytes = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
        return raw


def by_mbsync(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    (folder / "mail").mkdir()
    config = folder / "mbsyncrc"
    host, port = there.imap
    config.write_text(MBSYNC.format(host=host, port=port, login=bob.login, password=bob.password, folder=folder))
    run(program("mbsync"), "-c", str(config), "-a")
    (file,) = (folder / "mail" / "Archive").glob("[cn]*/*")
    assert "F" in file.name.rpartition(",")[2]
    return file.read_bytes()


def by_mutt(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    config = mutt_config(there, bob, folder)
    run(
        *("script", "-qec", f"{program('mutt')} -F {config} -e 'unset pipe_decode' -f =Archive"),
        "/dev/null",
        stdin=f"|cat > {folder}/read\nq",
        env={"TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    return (folder / "read").read_bytes()


def by_poplib(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    client = poplib.POP3(there.pop3.host, there.pop3.port)
    client.user(bob.login)
    client.pass_(bob.password)
    raw = b"\r\n".join(client.retr(1)[1])
    client.quit()
    return raw


def by_fetchmail(there: MailSystem, bob: Account, program: Program, run: Run, folder: Path) -> bytes:
    config = folder / "fetchmailrc"
    config.write_text(
        f'set postmaster "root"\nset no bouncemail\n'
        f'poll {there.pop3.host} service {there.pop3.port} protocol pop3 user "{bob.login}" password "{bob.password}"\n'
        f'  mda "cat > {folder}/read" sslproto "" fetchall no keep no rewrite\n'
    )
    config.chmod(0o600)
    run(
        *(program("fetchmail"), "-f", str(config), "--pidfile", str(folder / "pid"), "-i", str(folder / "ids")),
        *("--nodetach", "-v"),
    )
    return (folder / "read").read_bytes()


@pytest.mark.parametrize(
    ("read", "subject"),
    [
        (by_imaplib, "[list] a walk"),
        (by_imapclient, "[list] a walk"),
        (by_mbsync, "[list] a walk"),
        (by_mutt, "[list] a walk"),
        (by_poplib, "a walk"),  # POP3 has the INBOX alone
        (by_fetchmail, "a walk"),
    ],
    ids=["imaplib", "IMAPClient", "mbsync", "mutt", "poplib", "fetchmail"],
)
def test_reads_there_what_was_submitted_here(
    world: World,
    program: Program,
    run: Run,
    tmp_path: Path,
    read: Callable[[MailSystem, Account, Program, Run, Path], bytes],
    subject: str,
) -> None:
    alice, bob = world.here.account(), world.reader()
    world.here.send(alice, bob.address, subject, "over the hills")
    world.there.expect(bob, subject, within=20)

    mail = message_from_bytes(read(world.there, bob, program, run, tmp_path))

    assert mail["Subject"] == subject
    assert mail["From"] == alice.address
    assert len(mail.get_all("Received") or []) >= 2
    assert str(mail.get_payload()).strip() == "over the hills"


def test_mutt_submits_here_what_is_read_there(world: World, program: Program, run: Run, tmp_path: Path) -> None:
    alice, bob = world.here.account(), world.reader()
    run(
        *(program("mutt"), "-F", mutt_config(world.here, alice, tmp_path), "-s", "[list] by mutt", "--", bob.address),
        stdin="hello from mutt\n",
        env={"TERM": "xterm"},
    )
    mail = world.there.expect(bob, "[list] by mutt", within=20)
    assert mail.mailbox == "Archive"
    assert mail.text.strip() == "hello from mutt"
