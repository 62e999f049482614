"""What was read of messages at the door, asked of the mailstore in batches and kept, least recently used out first.

A message never changes, so what is kept is never wrong; it may be gone, which the mailstore says when it is asked for
bytes. Keys hold UIDVALIDITY, since the numbers of deleted mailboxes come again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from barid_contracts.mail import BodyRef
from barid_contracts.store import SUMMARIES, SummariesRequest, Summary
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import call

OVERHEAD = 400
"""Octets that a card costs apart from its texts."""

Fields = frozenset[str]
"""Of `SummariesRequest.fields`."""


@dataclass(slots=True)
class Card:
    """What is known of one message; `known` says which fields are. Texts are the octets to send."""

    known: Fields = frozenset()
    size: int = 0
    date: int = 0
    envelope: bytes = b""
    structure: bytes = b""
    headers: bytes = b""
    headers_cut: bool = False
    prefix: bytes = b""
    parts: str = ""
    ref: BodyRef | None = None
    mail_id: str = ""

    def learn(self, row: Summary, fields: Fields) -> None:
        self.known |= fields | {"mail_id"} if "body" in fields else fields
        if "size" in fields:
            self.size = row.size
        if "date" in fields:
            self.date = row.date
        if "envelope" in fields:
            self.envelope = row.envelope.encode("latin-1")
        if "structure" in fields:
            self.structure = row.structure.encode("latin-1")
        if "headers" in fields:
            self.headers, self.headers_cut = row.headers.encode("latin-1"), row.headers_cut
        if "body" in fields:
            self.prefix, self.parts, self.ref = row.prefix.encode("latin-1"), row.parts, row.ref
        if "body" in fields or "mail_id" in fields:
            self.mail_id = row.mail_id

    @property
    def cost(self) -> int:
        return OVERHEAD + len(self.envelope) + len(self.structure) + len(self.headers) + len(self.prefix)


@dataclass(frozen=True, slots=True)
class MailboxKey:
    account: str
    mailbox: int
    uidvalidity: int


class Summaries:
    """most: octets kept."""

    def __init__(self, bus: Bus, *, most: int) -> None:
        self._bus = bus
        self._most = most
        self._cards: OrderedDict[tuple[int, int, int], Card] = OrderedDict()
        self._cost = 0

    async def get(self, mailbox: MailboxKey, uids: Sequence[int], fields: Iterable[str]) -> dict[int, Card]:
        """By UID; those that don't exist any more are left out. Raises BusError.

        Some hundred UIDs at a time: the caller holds what it gets, whatever is kept here.
        """
        wanted = frozenset(fields)
        found, missing = self._known(mailbox, uids, wanted)
        ordered = sorted(wanted)
        while missing:
            reply = await call(
                self._bus,
                SUMMARIES,
                SummariesRequest(account=mailbox.account, mailbox=mailbox.mailbox, uids=missing, fields=ordered),
            )
            for row in reply.rows:
                found[row.uid] = self._learn((mailbox.mailbox, mailbox.uidvalidity, row.uid), row, wanted)
            missing = reply.more if reply.rows else []
        self._shrink()
        return found

    def at_hand(self, mailbox: MailboxKey, uids: Sequence[int], fields: Fields) -> dict[int, Card] | None:
        """The same, if nobody need be asked."""
        found, missing = self._known(mailbox, uids, fields)
        return None if missing else found

    def _known(self, mailbox: MailboxKey, uids: Sequence[int], wanted: Fields) -> tuple[dict[int, Card], list[int]]:
        """By UID; and those of which not all is known."""
        found: dict[int, Card] = {}
        missing: list[int] = []
        cards = self._cards
        for uid in uids:
            key = (mailbox.mailbox, mailbox.uidvalidity, uid)
            card = cards.get(key)
            if card is not None and wanted <= card.known:
                cards.move_to_end(key)
                found[uid] = card
            else:
                missing.append(uid)
        return found, missing

    def _learn(self, key: tuple[int, int, int], row: Summary, fields: Fields) -> Card:
        card = self._cards.pop(key, None)
        if card is None:
            card = Card()
        else:
            self._cost -= card.cost
        card.learn(row, fields)
        self._cards[key] = card
        self._cost += card.cost
        return card

    def _shrink(self) -> None:
        while self._cost > self._most and self._cards:
            _, card = self._cards.popitem(last=False)
            self._cost -= card.cost
