"""IMAP from clients that are none, or are up to something; and meanwhile another session notices nothing."""

import contextlib
import imaplib
import random
import time
from collections.abc import Iterator

import pytest

from barid_testing.mail_system import Account, MailSystem

from .conftest import LogLines
from .wire import Wire

FOUR_GB = 4 * 1024**3


class Imap(Wire):
    """Has read the greeting."""

    def __init__(self, system: MailSystem, account: Account | None = None) -> None:
        super().__init__(system.imap)
        assert self.read_line().startswith(b"* OK ")
        if account is not None:
            assert self.say(b'l LOGIN "%s" "%s"' % (account.login.encode(), account.password.encode())) == b"OK"

    def say(self, command: bytes) -> bytes:
        """The status of its tagged response: OK, NO, BAD; BYE if that comes instead."""
        self.send(command + b"\r\n")
        return self.status(command.partition(b" ")[0])

    def status(self, tag: bytes) -> bytes:
        while line := self.read_line():
            if line.startswith(tag + b" "):
                return line.split()[1]
            if line.startswith(b"* BYE"):
                return b"BYE"
            if line.startswith(b"+"):
                return b"+"
        return b""


@pytest.fixture(autouse=True)
def someone_else(unimpressed: None, besieged: MailSystem, bystander: Account) -> Iterator[None]:
    """A session from before the test goes on after it."""
    with imaplib.IMAP4(*besieged.imap, timeout=10) as client:
        client.login(bystander.login, bystander.password)
        client.select("INBOX")
        yield
        began = time.monotonic()
        assert client.noop()[0] == "OK"
        assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"a",
        b"a FROB",
        b"* NOOP",
        b"+ NOOP",
        b"a1 NO\0OP",
        b"a(b NOOP",
        b"\xff\xfe NOOP",
        b"a LOGIN",
        b'a LOGIN "unclosed',
        b"a LOGIN {x}",
        b"a LOGIN {-1}",
        b"a LOGIN {1",
        b"a LOGIN {99999999999999999999}",
        b"a FETCH 1 FLAGS",
        b"a SELECT INBOX",
    ],
)
def test_a_bad_line_before_log_in_is_answered_bad_and_the_next_one_works(besieged: MailSystem, line: bytes) -> None:
    with Imap(besieged) as client:
        client.send(line + b"\r\n")
        answer = client.read_line()
        assert answer.split()[1] in (b"BAD", b"NO"), answer
        assert client.say(b"b CAPABILITY") == b"OK"


@pytest.mark.parametrize(
    "line",
    [
        b"a FETCH 0 FLAGS",
        b"a FETCH 4294967296 FLAGS",
        b"a FETCH 1:2:3 FLAGS",
        b"a FETCH 1 (FLAGS",
        b"a FETCH 1 BODY[",
        b"a FETCH 1 BODY[99999999999]",
        b"a FETCH 1 BODY[]<0.0>",
        b"a FETCH 1 BODY[]<4294967296.1>",
        b"a STORE 1 FLAGS (\\Nonsense",
        b"a STORE 1 FLAGS \\Recent",
        b"a SEARCH " + b"NOT " * 500 + b"ALL ()",
        b"a SEARCH CHARSET KLINGON ALL",
        b"a SELECT &AAA",
        b"a CREATE " + b"a/" * 300 + b"a",
        b"a LIST \0 *",
        b"a STATUS INBOX (",
        b"a UID FROB 1",
        b"a APPEND INBOX",
        b"a APPEND INBOX {0}",
        b'a APPEND INBOX "32-Foo-2020 99:99:99 +9999" {3}',
        b"a APPEND nowhere {3}",
        b"a AUTHENTICATE PLAIN =",
        b"a COPY 1 " + b"{3+}\r\nab\0",
    ],
)
def test_a_bad_line_after_log_in_is_answered_no_or_bad(besieged: MailSystem, victim: Account, line: bytes) -> None:
    with Imap(besieged, victim) as client:
        assert client.say(b"s SELECT INBOX") == b"OK"
        assert client.say(line) in (b"BAD", b"NO")
        assert client.say(b"b NOOP") == b"OK"


@pytest.mark.parametrize("depth", [100, 10_000, 60_000])
def test_parenthesis_bombs(besieged: MailSystem, victim: Account, depth: int) -> None:
    bombs = (
        b"a FETCH 1 " + b"(" * depth,
        b"a SEARCH " + b"(" * (depth // 2) + b"ALL" + b")" * (depth // 2),
        b"a SEARCH " + b"OR " * (depth // 4) + b"ALL",
        b"a SEARCH " + b"NOT " * (depth // 4) + b"ALL",
        b"a LIST (" + b"(" * (depth - 20) + b' "" *',
        b"a STORE 1 FLAGS " + b"(" * (depth - 20),
        b"a STATUS INBOX " + b"(" * (depth - 20),
        b"a ID " + b"(" * (depth - 20),
    )
    with Imap(besieged, victim) as client:
        client.say(b"s SELECT INBOX")
        for bomb in bombs:
            began = time.monotonic()
            assert client.say(bomb) in (b"BAD", b"NO", b"OK"), bomb[:20]
            assert time.monotonic() - began < 1, bomb[:20]
        assert client.say(b"b NOOP") == b"OK"


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_command_line_of_a_megabyte(besieged: MailSystem, victim: Account, logged_in: bool) -> None:
    with Imap(besieged, victim if logged_in else None) as client:
        client.send_until_cut_off(b"a NOOP " + b"x" * 1_000_000 + b"\r\n")
        assert client.status(b"a") in (b"BAD", b"BYE")


def test_a_set_as_long_as_a_command_may_be(besieged: MailSystem, victim: Account) -> None:
    with Imap(besieged, victim) as client:
        client.say(b"s SELECT INBOX")
        for command in (b"FETCH %s FLAGS", b"UID FETCH %s FLAGS", b"UID SEARCH UID %s", b"UID STORE %s FLAGS (x)"):
            began = time.monotonic()
            sets = b",".join(b"%d:%d" % (9_000_000 + n * 3, 4_000_000_000 - n * 3) for n in range(2_900))
            assert client.say(b"a " + command % sets) in (b"OK", b"BAD", b"NO")
            assert time.monotonic() - began < 2, command


def test_four_gigabytes_announced(besieged: MailSystem, victim: Account) -> None:
    """Refused at the announcement, so nothing needs to be sent."""
    with Imap(besieged) as client:
        assert client.say(b"a LOGIN {%d}" % FOUR_GB) == b"BAD"
        assert client.say(b"b NOOP") == b"OK"
    with Imap(besieged, victim) as client:
        assert client.say(b"a APPEND INBOX {%d}" % FOUR_GB) == b"NO"
        assert client.say(b"b SEARCH SUBJECT {%d}" % (FOUR_GB - 1)) == b"BAD"
        assert client.say(b"c NOOP") == b"OK"


def test_four_gigabytes_that_come_unasked(besieged: MailSystem, victim: Account) -> None:
    """A non-synchronising literal that can't be taken would have to be read to its end; it is cut off instead."""
    for client, command in (
        (Imap(besieged), b"a LOGIN {%d+}\r\n"),
        (Imap(besieged, victim), b"a APPEND INBOX {%d+}\r\n"),
        (Imap(besieged, victim), b"a SEARCH SUBJECT {%d+}\r\n"),
    ):
        with client:
            client.send(command % FOUR_GB)
            for _ in range(200):
                client.send_until_cut_off(b"x" * 65_536)
            assert b"* BYE" in client.read_to_end()[:100] or client.is_closed()


def test_appends_cut_in_the_middle(besieged: MailSystem, victim: Account) -> None:
    for size in (1_000, 3_000_000):
        with Imap(besieged, victim) as client:
            assert client.say(b"a APPEND INBOX {%d}" % size) == b"+"
            client.send(b"Subject: cut in the middle\r\n\r\n" + b"x" * (size // 2))
    with Imap(besieged, victim) as client:
        assert client.say(b"a APPEND INBOX {10}") == b"+"
        client.send(b"Subject: x" + b"garbage after the literal\r\n")
        assert client.status(b"a") == b"BAD"
        client.say(b"s SELECT INBOX")
        client.send(b"b SEARCH SUBJECT {17}\r\n")
        assert client.status(b"b") == b"+"
        client.send(b"cut in the middle\r\n")
        assert client.read_line() == b"* SEARCH\r\n"
    until = time.monotonic() + 5
    while left := [path for path in (besieged.data / "journal").rglob("spool/*") if path.is_file()]:
        assert time.monotonic() < until, left
        time.sleep(0.02)


def test_who_never_reads(besieged: MailSystem, victim: Account) -> None:
    """What doesn't fit the sockets is not made: the session waits, and ends with its connection."""
    body = b"Subject: long\r\n\r\n" + b"x" * 70 * 1000 + b"\r\n"
    besieged.send("somebody@elsewhere.test", victim, message=body)
    besieged.expect(victim, "long")
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(Imap(besieged, victim))
            client.say(b"s SELECT INBOX")
            client.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                client.send(b"f FETCH 1:* BODY.PEEK[]\r\n" * 5_000)
        time.sleep(0.5)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: mail\r\n\r\n",
        bytes.fromhex("16030100a5010000a10303") + bytes(range(200)) + b"\r\n",
        b"\x00\x00\x00\x00\r\n\r\n" * 10,
    ],
    ids=["HTTP", "TLS", "zeros"],
)
def test_other_protocols_on_the_plain_port(besieged: MailSystem, log_lines: LogLines, octets: bytes) -> None:
    with Imap(besieged) as client:
        client.send(octets)
        client.socket.shutdown(1)
        answer = client.read_to_end()
    assert answer[:6] in (b"* BYE ", b"* BAD "), answer
    assert log_lines.of("cut off") or log_lines.of("protocol error")


def test_plain_text_on_the_tls_port(besieged: MailSystem) -> None:
    with Wire(besieged.imaps) as client:
        client.send(b"a1 CAPABILITY\r\n")
        assert b"OK" not in client.read_to_end()


def test_what_is_sent_before_tls_is_not_taken_as_sent_within(besieged: MailSystem) -> None:
    with Imap(besieged) as client:
        client.send(b"a STARTTLS\r\nb CAPABILITY\r\n")
        client.status(b"a")
        client.send_until_cut_off(b"c CAPABILITY\r\n")
        assert b"* CAPABILITY" not in client.read_to_end()


def test_silent_and_slow_connections(besieged: MailSystem, bystander: Account) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Wire(besieged.imap))
            stack.enter_context(Wire(besieged.imaps))
        slow = [stack.enter_context(Imap(besieged)) for _ in range(50)]
        for octet in b"a CAPABILI":
            for client in slow:
                client.send(bytes([octet]))
        began = time.monotonic()
        with Imap(besieged, bystander) as quick:
            assert quick.say(b"s SELECT INBOX") == b"OK"
        assert time.monotonic() - began < 2
        for client in slow:
            client.send(b"TY\r\n")
        assert [client.status(b"a") for client in slow] == [b"OK"] * 50


def test_noise(besieged: MailSystem, victim: Account) -> None:
    source = random.Random(3501)
    words = [
        b"a SELECT INBOX",
        b"b FETCH 1:*",
        b"(BODY[",
        b"{3}",
        b"{3+}",
        b"\r\n",
        b"\n",
        b'"',
        b"\\",
        b"IDLE",
        b"DONE",
    ]
    for _ in range(40):
        noise = b"".join(
            source.choice(words) + b" " if source.random() < 0.7 else source.randbytes(source.randrange(60)) + b"\r\n"
            for _ in range(40)
        )
        with Imap(besieged, victim) as client:
            client.send_until_cut_off(noise + b"\r\n")
            client.socket.shutdown(1)
            client.read_to_end()


def test_a_no_is_no_protocol_error_in_the_log(besieged: MailSystem, log_lines: LogLines) -> None:
    with Imap(besieged, besieged.account()) as client:
        assert client.say(b"a APPEND INBOX {4000000000}") == b"NO"
    assert not log_lines.of("protocol error")
    (line,) = log_lines.of("refused")
    assert (line["protocol"], line["reply"][:3]) == ("imap", "NO ")


def test_bad_commands_leave_a_line_in_the_log(besieged: MailSystem, log_lines: LogLines) -> None:
    with Imap(besieged) as client:
        assert client.say(b"a FROB") == b"BAD"
    (line,) = log_lines.of("protocol error")
    assert (line["protocol"], line["reply"][:4], line["ip"]) == ("imap", "BAD ", "127.0.0.1")
