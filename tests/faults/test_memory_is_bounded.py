"""However much is sent at once, no process grows by more than a fixed amount, and small mail goes on."""

import hashlib
import imaplib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from barid_testing.mail_system import Account, MailSystem

from .processes import forget_peaks, peaks

GROWTH = 100 * 1024 * 1024
"""Bytes that a process may grow by."""

SMALL_WITHIN = 10.0
"""Seconds for a small mail from its first octet until it is filed, while the disk is busy with large ones."""

BLOCK = b"".join(b"%058d %058d %058d\r\n" % (n, n * 7, n * 11) for n in range(5600))
"""A megabyte or so of lines."""


@pytest.mark.parametrize(
    ("count", "size"),
    [
        pytest.param(20, 16_000_000, id="20 of 16 MB"),
        pytest.param(50, 50_000_000, id="50 of 50 MB", marks=pytest.mark.slow),
    ],
)
def test_large_messages_at_once(mail_systems: Callable[..., MailSystem], count: int, size: int) -> None:
    system = mail_systems(processes=0)
    reader, small = system.account("reader"), system.account("small")
    system.send("warm@elsewhere.test", [reader, small], "warm")
    system.expect(reader, "warm")
    system.expect(small, "warm")

    rested = forget_peaks(system)
    done = threading.Event()
    with ThreadPoolExecutor(count + 1) as pool:
        letters = [pool.submit(_send_large, system, reader, number, size) for number in range(count)]
        slowest = pool.submit(_small_mail_meanwhile, system, small, done)
        sent = {digest for letter in letters for digest in [letter.result(300)]}
        done.set()
        took, small_mails = slowest.result(60)
    system.expect(reader, f"large {count - 1}.", within=60)
    for number in range(count):
        system.expect(reader, f"large {number}.", within=60)
    accepted_at = _growth(rested, peaks(system))

    assert _bodies(system, reader, count) == sent
    grown = _growth(rested, peaks(system))
    print(
        f"{count} × {size}: small mails {small_mails}, slowest {took:.2f} s; MB accepting {accepted_at}, in all {grown}"
    )
    assert max(grown.values()) * 1_000_000 < GROWTH, grown
    assert small_mails > 0
    assert took < SMALL_WITHIN
    system.stop()


def _growth(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    return {name: round((after[name] - before[name]) / 1_000_000, 1) for name in before}


def _send_large(system: MailSystem, to: Account, number: int, size: int) -> bytes:
    """The digest of what was accepted. All of them send at the same time, as fast as they are let."""
    head = b"From: x@elsewhere.test\r\nSubject: large %d.\r\n\r\n" % number
    digest = hashlib.sha256(head)
    with socket.create_connection(system.smtp, timeout=300) as client, client.makefile("rb") as replies:
        replies.readline()
        for command in (b"HELO x", b"MAIL FROM:<x@elsewhere.test>", b"RCPT TO:<%s>" % to.address.encode(), b"DATA"):
            client.sendall(command + b"\r\n")
            assert replies.readline()[:1] in b"23"
        client.sendall(head)
        left = size - len(head)
        while left:
            block = BLOCK if left >= 2 * len(BLOCK) else b"x" * (left - 2) + b"\r\n"
            client.sendall(block)
            digest.update(block)
            left -= len(block)
        client.sendall(b".\r\n")
        answer = replies.readline()
        assert answer.startswith(b"250 "), answer
    return digest.digest()


def _small_mail_meanwhile(system: MailSystem, to: Account, done: threading.Event) -> tuple[float, int]:
    slowest, number = 0.0, 0
    while not done.is_set():
        began = time.monotonic()
        system.send("x@elsewhere.test", to, f"small {number}.", "hello")
        system.expect(to, f"small {number}.", within=60)
        slowest = max(slowest, time.monotonic() - began)
        number += 1
        time.sleep(0.2)
    return slowest, number


def _bodies(system: MailSystem, reader: Account, count: int) -> set[bytes]:
    """Digests of what IMAP gives, without the trace that delivery put before it."""
    found = set()
    with imaplib.IMAP4(*system.imap, timeout=120) as client:
        client.login(reader.login, reader.password)
        client.select("INBOX", readonly=True)
        _, answer = client.search(None, "LARGER", "1000000")
        numbers = answer[0].split()
        assert len(numbers) == count
        for number in numbers:
            _, parts = client.fetch(number.decode(), "(BODY.PEEK[])")
            body = parts[0][1]
            found.add(hashlib.sha256(body[body.index(b"From: x@elsewhere.test") :]).digest())
    return found
