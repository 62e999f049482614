"""A load that goes on whatever is killed: letters by every door, and clients that move, flag and expunge meanwhile.

A connection that breaks is opened again; a letter is never sent again, so nothing here hides a loss or a double.
"""

import contextlib
import imaplib
import random
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

from barid_testing.mail_system import Account, MailSystem

from .doors import Doors
from .letters import HUGE, KINDS, Door, Kind, Letter, number_of
from .town import ALL, AWAY, HERE, Town

PAUSE = 0.02
"""Before a refused or broken client tries again."""

PATIENCE = 30.0
"""Seconds for an answer: more than any process is made to stand still."""

THREADS: tuple[tuple[Door, int], ...] = (("mx", 4), ("submission", 1), ("lmtp", 1), ("append", 1))

HUGE_AFTER = 100
"""Mails accepted, so that the huge ones meet the blows."""

EXPUNGED_AT_ONCE = 3
MOVED_AT_ONCE = 5


class Load:
    """seed: of the choice of letters. `huge` of them are as large as can be."""

    def __init__(self, system: MailSystem, town: Town, seed: int, huge: int = 2) -> None:
        self._system = system
        self._town = town
        self._numbers = count()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._going = threading.Event()
        self._doors = Doors(system)
        self._resting = threading.Semaphore(0)
        self._huge = huge  # that have still to be accepted
        self._accepted = 0
        self.letters: dict[int, Letter] = {}
        self.moved: set[int] = set()
        """Numbers of ann's that were flagged and moved to Sorted, says an OK."""
        self.perhaps_moved: set[int] = set()
        self.expunged: set[int] = set()
        """Numbers of dora's that are gone for good, says an OK."""
        self.perhaps_expunged: set[int] = set()
        self.failures: list[str] = []
        works: list[Callable[[random.Random], None]] = [
            _bound(self._post, door) for door, threads in THREADS for _ in range(threads)
        ]
        works += [lambda _: self._move(), lambda _: self._expunge()]
        self._threads = [
            threading.Thread(target=self._run, args=(work, random.Random(f"{seed} {number}")), daemon=True)
            for number, work in enumerate(works)
        ]

    @property
    def accepted(self) -> int:
        """How many got their 250 or OK."""
        return self._accepted

    def start(self) -> "Load":
        self._going.set()
        for thread in self._threads:
            thread.start()
        return self

    def rest(self) -> None:
        """Every client ends what it has in hand and waits, until `go_on`."""
        self._going.clear()
        for _ in self._threads:
            assert self._resting.acquire(timeout=3 * PATIENCE), "a client is stuck"

    def go_on(self) -> None:
        self._going.set()

    def stop(self) -> None:
        self._stopping.set()
        self._going.set()
        for thread in self._threads:
            thread.join(3 * PATIENCE)
            assert not thread.is_alive(), "a client is stuck"
        assert not self.failures, self.failures[0]

    def until(self, more: int, within: float = 90.0) -> None:
        """So many more have been accepted."""
        goal = self._accepted + more
        end = time.monotonic() + within
        while self._accepted < goal:
            if time.monotonic() > end:
                raise AssertionError(f"{self._accepted} accepted, not {goal}, in {within:.0f} s\n{self._system.log()}")
            time.sleep(0.01)

    # --- the clients

    def _run(self, work: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._stopping.is_set():
            if not self._going.is_set():
                self._resting.release()
                self._going.wait()
            try:
                work(rng)
            except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
                if is_for_good(error):
                    self.failures.append(f"refused for good: {type(error).__name__}: {error}")
                time.sleep(PAUSE)
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                raise

    def _on(self) -> bool:
        return self._going.is_set() and not self._stopping.is_set()

    def _post(self, door: Door, rng: random.Random) -> None:
        """One connection, for as long as it lives."""
        kinds = [kind for kind in KINDS if kind.door == door]
        weights = [kind.weight for kind in kinds]
        if door == "append":
            with self._reader(self._town.eve) as reader:
                while self._on():
                    self._append(reader, self._letter(rng.choices(kinds, weights)[0]))
            return
        with self._door(door) as client:
            while self._on():
                huge = door == "mx" and self._takes_huge()
                letter = self._letter(HUGE if huge else rng.choices(kinds, weights)[0])
                try:
                    self._send(client, letter)
                finally:
                    if huge and letter.fate != "accepted":
                        self._huge += 1

    def _takes_huge(self) -> bool:
        with self._lock:
            if not self._huge or self._accepted < HUGE_AFTER:
                return False
            self._huge -= 1
            return True

    def _letter(self, kind: Kind) -> Letter:
        with self._lock:
            number = next(self._numbers)
        sender = self._town.eve.address if kind.door in ("submission", "append") else f"s{number}@{AWAY}"
        letter = self.letters[number] = Letter(number, kind, sender, kind.recipients(number, self._town))
        return letter

    @contextlib.contextmanager
    def _door(self, door: Door) -> Iterator[smtplib.SMTP]:
        client: smtplib.SMTP
        if door == "submission":
            context = ssl._create_unverified_context()
            client = self._doors.enter("submissions", partial(smtplib.SMTP_SSL, timeout=PATIENCE, context=context))
        elif door == "lmtp":
            client = self._doors.enter("lmtp", partial(smtplib.LMTP, timeout=PATIENCE))
        else:
            client = self._doors.enter("smtp", partial(smtplib.SMTP, timeout=PATIENCE))
        try:
            if door == "submission":
                client.login(self._town.eve.login, self._town.eve.password)
            client.ehlo_or_helo_if_needed()
            yield client
        finally:
            client.close()

    def _send(self, client: smtplib.SMTP, letter: Letter) -> None:
        _needs(client.mail(letter.sender, [f"size={len(letter.raw)}"]), 250)
        said_of = {each: client.rcpt(each) for each in letter.recipients}
        letter.taken = [each for each, (code, _) in said_of.items() if code == 250]
        wrong = {each: said for each, said in said_of.items() if said[0] >= 500 and not _is_a_stranger_to(letter, each)}
        if wrong:
            raise smtplib.SMTPRecipientsRefused(wrong)
        if not letter.taken:
            client.rset()
            time.sleep(PAUSE)
            return
        _needs(client.docmd("DATA"), 354)
        letter.fate = "unknown"
        client.send(b"".join(b"." + line if line.startswith(b".") else line for line in _lines(letter.raw)) + b".\r\n")
        said = [client.getreply()]
        if isinstance(client, smtplib.LMTP):
            said += [client.getreply() for _ in letter.taken[1:]]
        kept = [each for each, (code, _) in zip(letter.taken, said, strict=False) if code == 250]
        if isinstance(client, smtplib.LMTP):
            letter.taken = kept
        self._settle(letter, bool(kept))
        if not kept:
            raise smtplib.SMTPDataError(*said[0])

    def _append(self, reader: imaplib.IMAP4, letter: Letter) -> None:
        letter.fate, letter.taken = "unknown", letter.recipients
        # A NO promises that it isn't there. Of what it doesn't know, a server says nothing, and BYE.
        status, _ = reader.append("Drafts", "(\\Seen \\Draft)", None, letter.raw)
        self._settle(letter, status == "OK")

    def _settle(self, letter: Letter, accepted: bool) -> None:
        letter.fate = "accepted" if accepted else "refused"
        if accepted:
            with self._lock:
                self._accepted += 1

    # --- readers, meanwhile

    @contextlib.contextmanager
    def _reader(self, account: Account, mailbox: str = "") -> Iterator[imaplib.IMAP4]:
        client = self._doors.enter("imap", partial(imaplib.IMAP4, timeout=PATIENCE))
        try:
            client.login(account.login, account.password)
            if mailbox:
                _ok(client.select(mailbox))
            yield client
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client.shutdown()

    def _move(self) -> None:
        with self._reader(self._town.ann, "INBOX") as reader:
            while self._on():
                reader.noop()
                chosen = _numbers(reader, MOVED_AT_ONCE)
                if not chosen:
                    time.sleep(PAUSE)
                    continue
                uids = ",".join(map(str, chosen))
                _ok(reader.uid("STORE", uids, "+FLAGS.SILENT", "(\\Flagged)"))
                unmoved = set(chosen.values()) - self.perhaps_moved
                self.perhaps_moved |= unmoved
                reply = reader.uid("MOVE", uids, "Sorted")
                if reply[0] == "NO":
                    self.perhaps_moved -= unmoved
                _ok(reply)
                self.moved.update(chosen.values())

    def _expunge(self) -> None:
        with self._reader(self._town.dora, "INBOX") as reader:
            while self._on():
                reader.noop()
                chosen = _numbers(reader, EXPUNGED_AT_ONCE)
                if not chosen:
                    time.sleep(PAUSE)
                    continue
                uids = ",".join(map(str, chosen))
                self.perhaps_expunged.update(chosen.values())
                _ok(reader.uid("STORE", uids, "+FLAGS.SILENT", "(\\Deleted)"))
                _ok(reader.uid("EXPUNGE", uids))
                self.expunged.update(chosen.values())
                time.sleep(PAUSE)


def _bound(function: Callable[[Door, random.Random], None], door: Door) -> Callable[[random.Random], None]:
    return lambda rng: function(door, rng)


def is_for_good(error: Exception) -> bool:
    """Nothing that befalls a system is a reason for 5xx, BAD, or a log-in refused as wrong: mail would be returned,
    people asked for their password again."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return True
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    text = str(error)
    return isinstance(error, imaplib.IMAP4.error) and (" BAD " in text or "AUTHENTICATIONFAILED" in text)


def _is_a_stranger_to(letter: Letter, recipient: str) -> bool:
    """By port 25 nobody sends to others' domains through us."""
    return letter.kind.door == "mx" and not recipient.endswith((f"@{HERE}", f"@{ALL}"))


def _needs(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)


def _ok(reply: tuple[str, object]) -> None:
    if reply[0] != "OK":
        raise imaplib.IMAP4.error(str(reply))


def _lines(raw: bytes) -> list[bytes]:
    return raw.splitlines(keepends=True)


def _numbers(reader: imaplib.IMAP4, most: int) -> dict[int, int]:
    """UID → number of the first mails of the mailbox."""
    try:
        status, parts = reader.fetch(f"1:{most}", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    except imaplib.IMAP4.error as error:
        if "mailbox is empty" in str(error) or "no message with that sequence number" in str(error):
            return {}  # fewer than that are left
        raise
    if status != "OK":
        return {}
    return {
        int(part[0].partition(b"UID ")[2].split()[0]): number_of(part[1]) for part in parts if isinstance(part, tuple)
    }
