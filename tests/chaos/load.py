"""A load that goes on whatever is killed: what was acknowledged is written down, and nothing else.

Each message has a number of its own in its Subject. A connection that breaks is opened again; a message whose fate is
unknown (no reply to its last line) may have been accepted or not, so its number counts in neither way: it may stand in
the mailbox once, or not at all. It is never sent again.
"""

import imaplib
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count

from barid_testing.mail_system import Account, MailSystem

PAUSE = 0.02
"""Before a refused or broken sender tries again."""

BODY = "x" * 3_000


class Load:
    """`sessions` threads, each sending to all accounts in turn, until `stop`."""

    def __init__(self, system: MailSystem, accounts: Sequence[Account], sessions: int = 6) -> None:
        self._system = system
        self._accounts = accounts
        self._numbers = count()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(sessions)]
        self.accepted: dict[int, str] = {}
        """Number → address, of those that got their 250."""
        self.sent: dict[int, str] = {}

    def start(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def until(self, more: int, within: float = 60.0) -> None:
        """So many more have been accepted."""
        goal = len(self.accepted) + more
        end = time.monotonic() + within
        while len(self.accepted) < goal:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{len(self.accepted)} accepted, not {goal}, in {within:.0f} s\n{self._system.log()}"
                )
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with smtplib.SMTP(*self._system.smtp, timeout=10) as client:
                    while not self._stopping.is_set():
                        self._send_one(client)
            except (OSError, smtplib.SMTPException):
                time.sleep(PAUSE)

    def _send_one(self, client: smtplib.SMTP) -> None:
        with self._lock:
            number = next(self._numbers)
            address = self._accounts[number % len(self._accounts)].address
            self.sent[number] = address
        message = f"From: load@elsewhere.test\r\nTo: {address}\r\nSubject: n{number:08d}\r\n\r\n{BODY}\r\n"
        client.sendmail("load@elsewhere.test", [address], message)
        with self._lock:
            self.accepted[number] = address


def standing(system: MailSystem, account: Account) -> Counter[int]:
    """How often each number stands in the account's INBOX."""
    with imaplib.IMAP4(*system.imap, timeout=60) as client:
        client.login(account.login, account.password)
        client.select("INBOX", readonly=True)
        _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return Counter(
        int(part[1].partition(b"n")[2][:8]) if b"Subject: n" in part[1] else -1
        for part in parts
        if isinstance(part, tuple)
    )


def check(system: MailSystem, accounts: Sequence[Account], load: Load, within: float = 90.0) -> int:
    """Every message that got its 250 stands in its mailbox exactly once, and nothing stands there that wasn't sent.

    Waits until all are there. Returns how many.
    """
    end = time.monotonic() + within
    while True:
        found = {account.address: _patiently(system, account, end) for account in accounts}
        missing = [number for number, address in load.accepted.items() if not found[address][number]]
        if not missing or time.monotonic() > end:
            break
        time.sleep(0.2)
    assert not missing, f"{len(missing)} of {len(load.accepted)} lost: {missing[:10]}\n{system.log()}"
    for address, numbers in found.items():
        twice = {number: times for number, times in numbers.items() if times > 1}
        assert not twice, f"{address} has some more than once: {twice}"
        strange = [number for number in numbers if load.sent.get(number) != address]
        assert not strange, f"{address} has what was never sent to it: {strange}"
    return len(load.accepted)


def _patiently(system: MailSystem, account: Account, end: float) -> Counter[int]:
    """A reader that was just killed comes back."""
    while True:
        try:
            return standing(system, account)
        except (OSError, imaplib.IMAP4.error):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
