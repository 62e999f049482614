"""Messages made to exhaust whoever parses them: taken in bounded time, given back byte for byte, described coarsely."""

import imaplib
import time

import pytest

from barid_testing.mail_system import MailSystem

from .wire import Smtp

SECONDS = 3.0
"""That any one step may take on a busy machine. A quadratic step would take minutes."""


def nested_multiparts(depth: int) -> bytes:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return opened + b"\r\ninnermost\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))


def nested_alike(depth: int) -> bytes:
    """Each level's delimiter is a prefix of the inner ones'."""
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"x" * (n % 70 + 1), b"x" * (n % 70 + 1))
        for n in range(depth)
    )
    return opened + b"\r\ninnermost\r\n"


def nested_messages(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: innermost\r\n\r\nhello\r\n"


def many_parts(count: int) -> bytes:
    parts = b"".join(b"--p\r\nContent-Type: text/x-%d\r\n\r\npart %d\r\n" % (n, n) for n in range(count))
    return b"Content-Type: multipart/mixed; boundary=p\r\n\r\n" + parts + b"--p--\r\n"


def almost_delimiters(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=p\r\n\r\n--p\r\n\r\n" + b"--px\r\n" * count + b"--p--\r\n"


def many_fields(count: int) -> bytes:
    return b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(count)) + b"\r\nhello\r\n"


def many_received(count: int) -> bytes:
    return b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * count + b"\r\nhello\r\n"


def field_of(value: bytes, name: bytes = b"To") -> bytes:
    return name + b": " + value + b"\r\n\r\nhello\r\n"


MONSTERS = {
    "multiparts 5,000 deep": nested_multiparts(5_000),
    "multiparts alike 5,000 deep": nested_alike(5_000),
    "messages 5,000 deep": nested_messages(5_000),
    "50,000 parts": many_parts(50_000),
    "200,000 lines that are almost delimiters": almost_delimiters(200_000),
    "100,000 fields": many_fields(100_000),
    "100,000 addresses": field_of(b",\r\n ".join(b"user%d@example.test" % n for n in range(100_000))),
    "100,000 comments": field_of(b"(" * 100_000),
    "100,000 quotes": field_of(b'"\\' * 50_000),
    "groups and routes": field_of(b"a:<@b,@c:d@e>,;" * 20_000),
    "100,000 encoded words": field_of(b"=?utf-8?b?aGVsbG8=?= " * 100_000, b"X-Words"),
    "50,000 parameters": field_of(b"text/plain" + b"; a=b" * 50_000, b"Content-Type"),
    "parameters in 50,000 pieces": field_of(
        b"text/plain" + b"".join(b"; n*%d*=%%41" % n for n in range(50_000)), b"Content-Type"
    ),
    "100,000 references": field_of(b"\r\n ".join(b"<%d@example.test>" % n for n in range(100_000)), b"References"),
    "a field of 4 MB": field_of(b"x" * 4_000_000, b"X-Long"),
    "a field of spaces": field_of(b" " * 100_000 + b"x", b"X-Spaces"),
    "no header at all": b"\r\n" + b"hello\r\n" * 100_000,
    "all header": b"X: y\r\n" * 100_000,
    "fields without colons": b"nocolon\r\n" * 100_000 + b"\r\nhello\r\n",
    "eight bits": bytes(range(128, 256)).replace(b"\x85", b"") * 10_000 + b"\r\n",
    "an empty boundary": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + b"--\r\n" * 100_000,
    "a date of nonsense": field_of(b"(" * 50_000 + b"Mon, 99 Foo 99999 99:99:99 +9999" + b")" * 50_000, b"Date"),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_is_taken_and_given_back(besieged: MailSystem, name: str) -> None:
    monster = MONSTERS[name]
    reader = besieged.account()
    with Smtp(besieged.smtp) as client:
        client.begin(reader.address)
        began = time.monotonic()
        client.send(monster.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        answer = client.reply()
        took = time.monotonic() - began
        assert answer.code == 250, answer
        assert took < SECONDS
    besieged.expect(reader)
    with imaplib.IMAP4(*besieged.imap, timeout=10) as client:
        client.login(reader.login, reader.password)
        client.select("INBOX")
        size = 0
        for items in (
            "(UID FLAGS RFC822.SIZE INTERNALDATE)",
            "(ENVELOPE)",
            "(BODY)",
            "(BODYSTRUCTURE)",
            "(BODY.PEEK[HEADER])",
            "(BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT CONTENT-TYPE X-99999)])",
            "(BODY.PEEK[TEXT])",
            "(BODY.PEEK[1])",
            "(BODY.PEEK[1.MIME])",
            "(BODY.PEEK[%s1])" % ("1." * 60),
            "(BODY.PEEK[49999])",
        ):
            began = time.monotonic()
            status, _ = client.fetch("1", items)
            took = time.monotonic() - began
            assert status == "OK", items
            assert took < SECONDS, items
        began = time.monotonic()
        _, answer = client.fetch("1", "(RFC822.SIZE BODY.PEEK[])")
        body = answer[0][1]
        size = int(answer[0][0].split()[answer[0][0].split().index(b"(RFC822.SIZE") + 1])
        assert body.endswith(monster)
        assert len(body) == size
        for criteria in ("BODY hello", "TEXT innermost", "SUBJECT x", "HEADER X-5 5", "TO user5@"):
            assert client.search(None, *criteria.split())[0] == "OK"
        assert time.monotonic() - began < 2 * SECONDS


def test_a_mail_that_has_been_everywhere_is_sent_back(besieged: MailSystem) -> None:
    """100,000 Received fields: it goes in circles, or wants us to count."""
    reader = besieged.account()
    with Smtp(besieged.smtp) as client:
        client.begin(reader.address)
        began = time.monotonic()
        client.send(many_received(100_000) + b".\r\n")
        assert client.reply() == (554, "5.4.6 Too many hops, this mail goes in circles")
        assert time.monotonic() - began < SECONDS


def test_monsters_do_not_keep_others_waiting(besieged: MailSystem) -> None:
    """No parser holds its loop for long: the replies to another client, while each monster is on its way."""
    reader = besieged.account()
    slowest: dict[str, float] = {}
    for name, monster in MONSTERS.items():
        with Smtp(besieged.smtp) as other, Smtp(besieged.smtp) as client:
            client.begin(reader.address)
            client.send(monster.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            worst = 0.0
            until = time.monotonic() + 0.25
            while time.monotonic() < until:
                began = time.monotonic()
                assert other.say(b"NOOP").code == 250
                worst = max(worst, time.monotonic() - began)
            slowest[name] = round(worst, 3)
            assert client.reply().code == 250
    print(slowest)
    assert max(slowest.values()) < 1, slowest
