"""POP3 from clients that are none, or are up to something."""

import contextlib
import poplib
import random
import time

import pytest

from barid_testing.mail_system import Account, MailSystem

from .conftest import LogLines
from .wire import Wire


class Pop3(Wire):
    """Has read the greeting."""

    def __init__(self, system: MailSystem, account: Account | None = None) -> None:
        super().__init__(system.pop3)
        assert self.read_line().startswith(b"+OK")
        if account is not None:
            assert self.say(b"USER " + account.login.encode()).startswith(b"+OK")
            assert self.say(b"PASS " + account.password.encode()).startswith(b"+OK")

    def say(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        return self.read_line()


@pytest.mark.parametrize(
    "line",
    [
        b"FROB",
        b"",
        b"\0",
        b"STAT",
        b"US\0ER x",
        b"\xff\xfe\xfd",
        b"AUTH PLAIN !!!",
        b"AUTH FROB",
        b"PASS x",
        b"RETR 1",
        b"USER",
        b"x" * 600,
    ],
)
def test_a_bad_line_before_log_in(besieged: MailSystem, line: bytes) -> None:
    with Pop3(besieged) as client:
        assert client.say(line).startswith(b"-ERR")
        assert client.say(b"CAPA").startswith(b"+OK")


def test_bad_numbers(besieged: MailSystem, victim: Account) -> None:
    for number in (b"0", b"-1", b"99999999999999999999", b"x", b"", b"1 2 3", b"\xb2", b"1\0"):
        with Pop3(besieged, victim) as client:
            for verb in (b"RETR ", b"DELE ", b"LIST ", b"UIDL "):
                if number or verb in (b"RETR ", b"DELE "):
                    assert client.say(verb + number).startswith(b"-ERR"), verb + number
            assert client.say(b"TOP 1 -1").startswith(b"-ERR")
            assert client.say(b"NOOP").startswith(b"+OK")


def test_a_line_of_a_megabyte(besieged: MailSystem) -> None:
    with Pop3(besieged) as client:
        client.send_until_cut_off(b"USER " + b"x" * 1_000_000 + b"\r\n")
        assert client.read_line()[:4] in (b"-ERR", b"")


@pytest.mark.parametrize(
    "octets",
    [b"POST / HTTP/1.1\r\nHost: mail\r\n\r\n", bytes.fromhex("16030100a5010000a10303") + bytes(range(200)) + b"\r\n"],
    ids=["HTTP", "TLS"],
)
def test_other_protocols_on_the_plain_port(besieged: MailSystem, octets: bytes) -> None:
    with Pop3(besieged) as client:
        client.send(octets)
        client.socket.shutdown(1)
        assert client.read_to_end()[:4] == b"-ERR"


def test_plain_text_on_the_tls_port(besieged: MailSystem) -> None:
    with Wire(besieged.pop3s) as client:
        client.send(b"USER somebody\r\n")
        assert b"+OK" not in client.read_to_end()


def test_who_never_reads(besieged: MailSystem, bystander: Account) -> None:
    reader = besieged.account("deaf")
    besieged.send("x@elsewhere.test", reader, message=b"Subject: long\r\n\r\n" + b"x\r\n" * 1_000_000)
    besieged.expect(reader, "long")
    with Pop3(besieged, reader) as client:
        client.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            client.send(b"RETR 1\r\n" * 100_000)
        began = time.monotonic()
        other = poplib.POP3(*besieged.pop3, timeout=10)
        other.user(bystander.login)
        other.pass_(bystander.password)
        other.quit()
        assert time.monotonic() - began < 2


def test_silent_connections(besieged: MailSystem, bystander: Account) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Wire(besieged.pop3))
            stack.enter_context(Wire(besieged.pop3s))
        with Pop3(besieged, bystander) as quick:
            assert quick.say(b"STAT").startswith(b"+OK")


def test_noise(besieged: MailSystem) -> None:
    source = random.Random(1939)
    for _ in range(30):
        with Pop3(besieged) as client:
            client.send_until_cut_off(b"".join(source.randbytes(source.randrange(90)) + b"\r\n" for _ in range(30)))
            client.socket.shutdown(1)
            for line in client.read_to_end().splitlines():
                assert line.startswith((b"+OK", b"-ERR")), line


def test_bad_commands_leave_a_line_in_the_log(besieged: MailSystem, log_lines: LogLines) -> None:
    with Pop3(besieged) as client:
        assert client.say(b"FROB").startswith(b"-ERR")
    (line,) = log_lines.of("protocol error")
    assert (line["protocol"], line["reply"], line["ip"]) == ("pop3", "unknown command", "127.0.0.1")
