"""What is sent, and where it must stand in the end.

A letter is made of its number alone, so that its bytes need not be kept; its number stands in its subject. What the
system said decides what is owed: 250 is *accepted*, and each copy must stand where the rules lead it, exactly once; a
refusal is *refused*, and none may stand anywhere; no answer is *unknown*, and all of its copies may stand, or none.
"""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from barid_runtime.journal.port import OBJECT_ABOVE, SPOOL_ABOVE

from .town import ALL, AWAY, HERE, SINK, Town

Door = Literal["mx", "submission", "lmtp", "append"]

SMALL = 3_000
SPOOLED = SPOOL_ABOVE + 40_000
OBJECT = OBJECT_ABOVE + 100_000

_NUMBER = re.compile(rb"^Subject: (?:\w+: )?n(\d{8})", re.MULTILINE)


class Place(NamedTuple):
    """where: an account's address and a mailbox; or the address of somebody else, with `captured` or `sink`."""

    address: str
    where: str


@dataclass(frozen=True)
class Kind:
    """A sort of letter: by which door, to whom, and where that leads. `copies` gets the recipients that were taken."""

    name: str
    door: Door
    weight: int
    recipients: Callable[[int, Town], list[str]]
    copies: Callable[[int, str, Town], list[Place]]
    size: int = SMALL


@dataclass(slots=True)
class Letter:
    number: int
    kind: Kind
    sender: str
    recipients: list[str]
    fate: Literal["unsent", "unknown", "accepted", "refused"] = "unsent"
    taken: list[str] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        """Its bytes, as they are sent and must come back (headers may have been put before)."""
        head = (
            f"From: <{self.sender}>\r\nTo: {', '.join(self.recipients)}\r\n"
            f"Subject: n{self.number:08d} {self.kind.name}\r\n"
            f"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <n{self.number}@load.test>\r\n\r\n"
        )
        line = random.Random(self.number).randbytes(30).hex() + f" n{self.number:08d}\r\n..dots and =3D\r\n"
        return head.encode() + (line * (self.kind.size // len(line) + 1)).encode()

    def copies(self, town: Town) -> Counter[Place]:
        """Where its copies belong. What goes to one account by two ways of the envelope is one copy."""
        found = dict.fromkeys(place for each in self.taken for place in self.kind.copies(self.number, each, town))
        return Counter(found.keys())


def number_of(raw: bytes) -> int:
    """The number that a mail carries, also an answer to it. -1: none of ours."""
    match = _NUMBER.search(raw)
    return int(match[1]) if match else -1


# --- the rules of the town (town.py), as expectations


def _to(*addresses: str) -> Callable[[int, Town], list[str]]:
    return lambda number, town: [address.format(n=number) for address in addresses]


def _by_rules(number: int, recipient: str, town: Town) -> list[Place]:
    """Where a plain letter to this address leads."""
    local, _, domain = recipient.partition("@")
    if domain == AWAY:
        return [Place(recipient, "captured")]
    if domain == SINK:
        return [Place(recipient, "sink")]
    if domain == ALL:
        return [Place(town.dora.address, "INBOX")]
    if local == "team":
        return [*map(_inbox, (town.ann, town.dora)), Place(f"remote@{AWAY}", "captured")]
    return [Place(f"{local.partition('+')[0]}@{HERE}", "Projects" if "+" in local else "INBOX")]


def _inbox(account: object) -> Place:
    return Place(account.address, "INBOX")  # type: ignore[attr-defined]


def _only(*places: tuple[str, str]) -> Callable[[int, str, Town], list[Place]]:
    return lambda number, recipient, town: [Place(address.format(n=number), where) for address, where in places]


KINDS = (
    Kind("plain", "mx", 12, _to(f"ann@{HERE}"), _by_rules),
    Kind("list", "mx", 4, _to(f"bob@{HERE}"), _only((f"bob@{HERE}", "Archive"))),
    Kind("flag", "mx", 3, _to(f"bob@{HERE}"), _only((f"bob@{HERE}", "INBOX"))),
    Kind("plus", "mx", 3, _to(f"bob+Projects@{HERE}"), _by_rules),
    Kind("team", "mx", 4, _to(f"team@{HERE}"), _by_rules),
    Kind("anyone", "mx", 3, _to(f"somebody{{n}}@{ALL}"), _by_rules),
    Kind("copy", "mx", 4, _to(f"carl@{HERE}"), _only((f"carl@{HERE}", "INBOX"), (f"dora@{HERE}", "INBOX"))),
    Kind("away", "mx", 3, _to(f"carl@{HERE}"), _only((f"far@{AWAY}", "captured"))),
    Kind("sink", "mx", 3, _to(f"carl@{HERE}"), _only((f"far@{SINK}", "sink"))),
    Kind("vacation", "mx", 4, _to(f"vera@{HERE}"), _only((f"vera@{HERE}", "INBOX"), (f"s{{n}}@{AWAY}", "captured"))),
    Kind("spooled", "mx", 1, _to(f"ann@{HERE}", f"dora@{HERE}"), _by_rules, SPOOLED),
    Kind("mixed", "submission", 8, _to(f"ann@{HERE}", f"bob+Projects@{HERE}", f"x@{AWAY}", f"y@{SINK}"), _by_rules),
    Kind("remote", "submission", 4, _to(f"x{{n}}@{AWAY}", f"y{{n}}@{SINK}"), _by_rules),
    Kind("everybody", "lmtp", 4, _to(f"ann@{HERE}", f"carl@{HERE}", f"team@{HERE}"), _by_rules),
    Kind("one", "lmtp", 4, _to(f"dora@{HERE}"), _by_rules),
    Kind("draft", "append", 10, _to(f"eve@{HERE}"), _only((f"eve@{HERE}", "Drafts"))),
    Kind("scan", "append", 1, _to(f"eve@{HERE}"), _only((f"eve@{HERE}", "Drafts")), SPOOLED),
)

HUGE = Kind("huge", "mx", 0, _to(f"ann@{HERE}", f"z{{n}}@{AWAY}"), _by_rules, OBJECT)
"""Few: each is nine megabytes, read back whole."""
