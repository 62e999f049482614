"""The books at the end: what was promised, beside what stands where.

Each acknowledged copy stands where it belongs exactly once, as it was sent; what was refused stands nowhere; what has
an unknown fate stands whole or not at all. A foreign host may get a copy again for each death of the relay, as SMTP
has no way to ask whether a mail was taken (RFC 5321 §6.1).
"""

import imaplib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from barid_testing.mail_system import Account, MailSystem

from .letters import OBJECT, SMALL, Letter, Place, number_of
from .load import Load
from .sink import Sink
from .town import Town

AT_HAND = 5
"""Transactions with one foreign host at a time (the relay's connections_per_destination): what one death may repeat."""

RAW_CAPTURED = 10
"""Captured mails of each size that are read back: each look-up walks the list."""


@dataclass
class Standing:
    """What is there: how often each letter's copy stands at each place, and which copies aren't as sent."""

    copies: Counter[tuple[int, Place]] = field(default_factory=Counter)
    flags: dict[tuple[int, Place], str] = field(default_factory=dict)
    damaged: list[tuple[int, Place]] = field(default_factory=list)


def take_stock(system: MailSystem, town: Town, load: Load, sink: Sink) -> Standing:
    """Everything, read as its readers would: by IMAP, by the API, at the foreign host."""
    found = Standing()
    for account in town.accounts:
        for mailbox, number, raw, flags in _all_mail(system, account):
            place = Place(account.address, mailbox)
            found.copies[number, place] += 1
            found.flags[number, place] = flags
            letter = load.letters.get(number)
            if letter is None or not raw.endswith(letter.raw):
                found.damaged.append((number, place))
    _captured(system, load, found)
    for (number, address), times in sink.got.items():
        place = Place(address, "sink")
        found.copies[number, place] += times
        letter = load.letters.get(number)
        if letter is None or not sink.bodies[number].endswith(letter.raw):
            found.damaged.append((number, place))
    return found


def faults(found: Standing, town: Town, load: Load, deaths: int) -> list[str]:
    """What is wrong, in words. deaths: of the relay."""
    said: list[str] = []
    said += [f"{_name(load, number)} at {place} is not what was sent" for number, place in found.damaged]
    stand = Counter(found.copies)
    repeats = 0
    for number, letter in load.letters.items():
        owed = _as_moved(load, town, letter, stand)
        there = {place: stand.pop((number, place), 0) for place in owed}
        for place in list(there):
            if place.where == "sink" and there[place] > 1:
                repeats += there[place] - 1
                there[place] = 1
        if letter.fate in ("unsent", "refused"):
            wrong = any(there.values())
        else:
            wrong = there != owed and (letter.fate == "accepted" or any(there.values()))
        if number in load.perhaps_expunged and letter.fate != "refused":
            gone = Place(town.dora.address, "INBOX")
            if number in load.expunged:
                wrong = there.get(gone, 0) != 0
            else:
                wrong = there.get(gone, 0) > 1
            wrong = wrong or any(there[place] != owed[place] for place in owed if place != gone)
        if wrong:
            said.append(f"{_name(load, number)}: owed {dict(owed)}, there {there}")
    said += [
        f"{_name(load, number)} stands at {place}, {times}×: never sent there"
        for (number, place), times in stand.items()
    ]
    said += [
        f"{_name(load, number)} was flagged and moved, and has {found.flags.get((number, _sorted(town)))}"
        for number in load.moved
        if "\\Flagged" not in found.flags.get((number, _sorted(town)), "")
    ]
    if repeats > AT_HAND * deaths:
        said.append(f"the foreign host got {repeats} copies again, for {deaths} deaths of the relay")
    return said


def _sorted(town: Town) -> Place:
    return Place(town.ann.address, "Sorted")


def _as_moved(load: Load, town: Town, letter: Letter, stand: Counter[tuple[int, Place]]) -> Counter[Place]:
    """A move that was not answered is one if the copy stands where it was to go."""
    owed = letter.copies(town)
    inbox, goal = Place(town.ann.address, "INBOX"), _sorted(town)
    unsure = letter.number in load.perhaps_moved and (letter.number, goal) in stand
    if inbox in owed and (letter.number in load.moved or unsure):
        owed[goal] = owed.pop(inbox)
    return owed


def _name(load: Load, number: int) -> str:
    letter = load.letters.get(number)
    return f"letter {number} ({letter.kind.name}, {letter.fate})" if letter else f"a mail without number {number}"


def _all_mail(system: MailSystem, account: Account) -> Iterator[tuple[str, int, bytes, str]]:
    """Mailbox, number, bytes and flags of each mail of the account."""
    with imaplib.IMAP4(*system.imap, timeout=60) as client:
        client.login(account.login, account.password)
        _, listed = client.list()
        for line in listed:
            assert isinstance(line, bytes)
            mailbox = line.rpartition(b' "/" ')[2].decode().strip('"')
            status, _ = client.select(f'"{mailbox}"', readonly=True)
            assert status == "OK", mailbox
            _, parts = client.fetch("1:*", "(FLAGS BODY.PEEK[])")
            for part in parts:
                if isinstance(part, tuple):
                    yield mailbox, number_of(part[1]), part[1], part[0].decode()


def _captured(system: MailSystem, load: Load, found: Standing) -> None:
    left = Counter({SMALL: RAW_CAPTURED, OBJECT: RAW_CAPTURED})
    cursor: str | None = None
    while True:
        page = system.api.get("/v1/captured", cursor=cursor, limit=500)
        for item in page["items"]:
            number = number_of(b"Subject: " + item["subject"].encode())
            place = Place(item["address"], "captured")
            found.copies[number, place] += 1
            letter = load.letters.get(number)
            if letter is None or item["subject"].startswith("Auto"):
                continue
            left[letter.kind.size] -= 1
            if left[letter.kind.size] >= 0 and not system.api.raw(item["raw"]).endswith(letter.raw):
                found.damaged.append((number, place))
        cursor = page["next"]
        if cursor is None:
            return


def check(system: MailSystem, town: Town, load: Load, sink: Sink, deaths: int, within: float = 30.0) -> None:
    """The books are right, now or in a moment: what the relay settles is told a little later than it is done."""
    end = time.monotonic() + within
    while said := faults(take_stock(system, town, load, sink), town, load, deaths):
        if time.monotonic() > end:
            raise AssertionError(f"{len(said)} faults: " + "\n".join(said[:20]) + f"\n{system.log()}")
        time.sleep(1)
