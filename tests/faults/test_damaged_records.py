"""Octets that rot on the disk: the message they belong to is reported, all others are served."""

import contextlib
import http.client
import imaplib
import json
import os
import poplib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from barid_testing.api import ApiError
from barid_testing.mail_system import Account, MailSystem, Message

from .letters import reply_to, wait_for
from .processes import standing_still

SIZES = {"small": 2_000, "large": 1_000_000, "object": 9_000_000}
"""Of bodies that stand in a pack with others, in a pack of large ones, and in a file of their own."""


@pytest.fixture(scope="module")
def stopped(mail_systems: Callable[..., MailSystem]) -> MailSystem:
    """For what happens while nobody looks. The last test of this file leaves it in ruins."""
    return mail_systems()


def corrupt(system: MailSystem, text: bytes) -> Path:
    """Flip three octets where the text stands in the journal: what a bad sector or a stray write does."""
    for path in sorted((system.data / "journal").rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if (at := content.find(text)) >= 0:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(bytes(octet ^ 0xFF for octet in content[at : at + 3]))
            return path
    raise AssertionError(f"{text!r} stands nowhere in the journal")


def five_letters(system: MailSystem, reader: Account, size: int, mark: str) -> list[Message]:
    """The letters `0`…`4`; the text `<mark> <number> here` stands once in each, far from its beginning."""
    found = []
    for number in range(5):
        padding = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n" * (size // 64)
        body = padding + b"%s %d here\r\n" % (mark.encode(), number) + padding[: size // 10 // 64 * 64]
        system.send("x@elsewhere.test", reader, message=b"Subject: letter %d\r\n\r\n" % number + body)
        found.append(system.expect(reader, f"letter {number}", within=30))
    return found


def logged(system: MailSystem, mail_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in system.log_file.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] == "error" and line.get("mail_id") == mail_id]


@contextlib.contextmanager
def reading(system: MailSystem, reader: Account) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(*system.imap, timeout=20)
    try:
        client.login(reader.login, reader.password)
        client.select("INBOX")
        yield client
    finally:
        client.shutdown()


def look(system: MailSystem, reader: Account, damaged: Message) -> None:
    """By IMAP, POP3 and the API: letter 2 is not served, the others are; and the log says which mail it was."""
    with reading(system, reader) as client:
        for number in ("1", "2", "4", "5"):
            status, parts = client.fetch(number, "(BODY.PEEK[])")
            assert status == "OK"
            assert b"Subject: letter %d" % (int(number) - 1) in parts[0][1]
        assert client.fetch("1:5", "(FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)")[0] == "OK"
    with reading(system, reader) as client:
        try:
            assert client.fetch("3", "(BODY.PEEK[])")[0] == "NO"
        except imaplib.IMAP4.abort:
            pass  # a large one broke off after its beginning was sent; the connection with it
    with reading(system, reader) as client:
        assert client.fetch("3", "(BODY.PEEK[])")[0] == "NO"
        assert client.fetch("5", "(BODY.PEEK[])")[0] == "OK"
        assert client.fetch("1:5", "(BODY.PEEK[])")[0] == "NO"
        assert client.noop()[0] == "OK"
    pop = poplib.POP3(*system.pop3, timeout=20)
    pop.user(reader.login)
    pop.pass_(reader.password)
    with pytest.raises(poplib.error_proto, match="ERR"):
        pop.retr(3)
    assert pop.retr(4)[0].startswith(b"+OK")
    pop.quit()
    assert logged(system, damaged.mail_id)


def examine(system: MailSystem) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("barid")), "doctor", "--deep", "--json", "--data", str(system.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (journal,) = [finding for finding in json.loads(done.stdout) if finding["check"] == "journal"]
    return done.returncode, f"{journal['grade']} {journal['text']}"


@pytest.mark.parametrize("kind", SIZES)
def test_a_body_rots_while_the_system_runs(system: MailSystem, kind: str) -> None:
    reader = system.account()
    letters = five_letters(system, reader, SIZES[kind], f"running-{kind}")
    pids = system.pids()
    corrupt(system, b"running-%s 2 here" % kind.encode())
    look(system, reader, letters[2])
    with pytest.raises((ApiError, http.client.IncompleteRead)):
        system.api.raw(f"/v1/messages/{letters[2].mail_id}/raw")
    assert reply_to(system, reader)[0] == 250
    assert system.pids() == pids


def test_the_doctor_names_the_mail(system: MailSystem) -> None:
    reader = system.account()
    letters = five_letters(system, reader, 2_000, "doctor")
    corrupt(system, b"doctor 2 here")
    code, text = examine(system)
    assert code == 1
    assert text.startswith("fail ")
    assert letters[2].mail_id in text or "damaged records" in text
    assert letters[1].mail_id not in text


def test_a_body_rots_while_the_system_is_stopped(stopped: MailSystem) -> None:
    system, reader = stopped, stopped.account()
    letters = five_letters(system, reader, 2_000, "stopped")
    system.stop()
    corrupt(system, b"stopped 2 here")
    system.start()
    look(system, reader, letters[2])
    code, text = examine(system)
    assert code == 1
    assert letters[2].mail_id in text


def test_a_record_rots_before_it_was_delivered(mail_systems: Callable[..., MailSystem]) -> None:
    """Accepted, not yet filed, the bus lost with all it held: the neighbours are delivered from the journal, and the
    record whose head can't be read is told to the operator."""
    system = mail_systems(processes=0)
    reader = system.account()
    system.send("x@elsewhere.test", reader, "before")
    system.expect(reader, "before")
    with standing_still(system, "nats-server"):
        for number in range(5):
            assert reply_to(system, reader, f"rotten-head {number}")[0] == 250
        os.kill(system.pids()["barid"], signal.SIGSTOP)
        system.kill_all()
    head = b'"subject":"rotten-head 2"'
    pack = corrupt(system, head)
    subprocess.run(["rm", "-rf", str(system.data / "nats")], check=True)
    system.start()
    wait_for(system, reader, {"before", *(f"rotten-head {number}" for number in (0, 1, 3, 4))})
    lines = [json.loads(line) for line in system.log_file.read_text().splitlines() if line.startswith("{")]
    told = [line for line in lines if line["level"] in ("error", "warning") and pack.name in json.dumps(line)]
    assert told, system.log()
    assert examine(system)[1].startswith("fail ")
    system.stop()


def test_rot_in_a_database_is_found_by_the_doctor(stopped: MailSystem) -> None:
    system, reader = stopped, stopped.account()
    five_letters(system, reader, 2_000, "database")
    system.stop()
    database = system.data / "mailstore.db"
    with database.open("r+b") as file:
        for page in range(3, database.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
    command = [str(Path(sys.executable).with_name("barid")), "doctor", "--json", "--data", str(system.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    grades = {finding["check"]: finding["grade"] for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert grades["mailstore.db"] == "fail"
