"""Mail as a stream of numbered letters, and what came of it."""

import imaplib
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from barid_testing.mail_system import Account, MailSystem

PATIENCE = 30.0


def reply_to(system: MailSystem, recipient: Account | str, subject: str = "probe") -> tuple[int, str]:
    """The first reply that is no success, else the one to the end of data: its code and text."""
    address = recipient.address if isinstance(recipient, Account) else recipient
    with smtplib.SMTP(*system.smtp, timeout=PATIENCE) as client:
        client.ehlo("elsewhere.test")
        steps = (
            lambda: client.mail("x@elsewhere.test"),
            lambda: client.rcpt(address),
            lambda: client.data(f"Subject: {subject}\r\n\r\nhello\r\n".encode()),
        )
        code, text = 0, b""
        for step in steps:
            try:
                code, text = step()
            except smtplib.SMTPDataError as error:
                code, text = error.smtp_code, error.smtp_error
            if code >= 400:
                break
        return code, text.decode()


def subjects(system: MailSystem, reader: Account, mailbox: str = "INBOX") -> Counter[str]:
    """How often each subject stands in the mailbox, as IMAP tells."""
    with imaplib.IMAP4(*system.imap, timeout=PATIENCE) as client:
        client.login(reader.login, reader.password)
        client.select(mailbox, readonly=True)
        _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        headers = [part[1] for part in parts if isinstance(part, tuple)]
        return Counter(re.sub(rb"(?i)^subject: |\s+$", b"", header).decode() for header in headers)


def wait_for(system: MailSystem, reader: Account, expected: set[str], within: float = PATIENCE) -> None:
    """Until all of them stand in INBOX; then none of them, and nothing else that begins alike, stands there twice."""
    until = time.monotonic() + within
    while not expected <= (found := _subjects_if_served(system, reader)).keys():
        assert time.monotonic() < until, f"missing: {sorted(expected - found.keys())[:5]}\n{system.log()}"
        time.sleep(0.1)
    time.sleep(0.3)
    twice = {subject: count for subject, count in subjects(system, reader).items() if count > 1}
    assert twice == {}


def _subjects_if_served(system: MailSystem, reader: Account) -> Counter[str]:
    """None while reading is refused for now, as it may be right after a fault."""
    try:
        return subjects(system, reader)
    except imaplib.IMAP4.error as error:
        assert "UNAVAILABLE" in str(error), error
    except OSError:
        pass
    return Counter()


def soon(holds: Callable[[], bool], within: float = 10.0) -> bool:
    """Whether it holds within so many seconds; who asks may find nobody at home meanwhile."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if holds():
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


class Load:
    """Senders that never stop, each on a connection of its own until that breaks. accepted: subjects that got 250."""

    def __init__(self, system: MailSystem, recipient: Account, *, senders: int, body: str = "hello") -> None:
        self.accepted: set[str] = set()
        self.refused: Counter[int] = Counter()
        self._system = system
        self._recipient = recipient
        self._body = body
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(PATIENCE)

    def _send(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with smtplib.SMTP(*self._system.smtp, timeout=PATIENCE) as client:
                    while not self._stop.is_set():
                        number += 1
                        self._letter(client, f"letter {sender} {number}")
            except (smtplib.SMTPException, OSError):
                time.sleep(0.05)

    def _letter(self, client: smtplib.SMTP, subject: str) -> None:
        message = f"Subject: {subject}\r\n\r\n{self._body}\r\n".encode()
        try:
            client.sendmail("x@elsewhere.test", [self._recipient.address], message)
        except smtplib.SMTPResponseException as error:
            self.refused[error.smtp_code] += 1
            time.sleep(0.05)
        except smtplib.SMTPRecipientsRefused as error:
            self.refused.update(code for code, _ in error.recipients.values())
            time.sleep(0.05)
        else:
            self.accepted.add(subject)
