"""What is in hand: bus messages, the obligations in them, and the portions in which they are settled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from barid_contracts.mail import Accepted, AcceptedBatch, Key, Obligation
from barid_protocols.sieve import Answer, Ask
from barid_runtime.bus.port import Delivery
from barid_runtime.logging import get_logger

from ..policy.at_hand import MailAtHand
from ..policy.proposal import Proposal

MAX_REQUEST_BYTES = 256 * 1024
"""Bytes of batches that go into one settle request unless a single one is larger: some 150 common mails. Larger ones
save nothing more (a request costs 100 µs), and hold the mailstore's loop, which others wait for."""

MAX_SETTLEMENTS = 1_000
"""Settlements in one request: a mail to 10,000 recipients is settled in pieces."""

MAX_SETTLEMENT_BYTES = 2 * 1024 * 1024
"""Characters of settlements in one request: children carry their content."""

log = get_logger("barid.mda")


@dataclass(slots=True)
class Parcel:
    """One bus message. retry: something of it has no end yet, so it has to come again."""

    delivery: Delivery
    mails: list[Accepted]
    retry: bool = False


@dataclass(slots=True, eq=False)
class Owed:
    """One obligation of ours. began: ns since the epoch, if there are traces."""

    parcel: Parcel
    at_hand: MailAtHand
    obligation: Obligation
    answers: dict[Ask, Answer] = field(default_factory=dict)
    began: int = 0

    @property
    def account(self) -> str:
        return self.obligation.account or ""

    @property
    def key(self) -> Key:
        return Key(mail_id=self.at_hand.mail.mail_id, n=self.obligation.n)


Piece = list[tuple[Owed, Proposal]]
"""Obligations with their proposed ends."""


def parse(delivery: Delivery) -> Parcel | None:
    """None for what is no batch: it is dropped from the bus, since no try will change it. Nothing is lost by that; the
    journal has the mails, and whoever reconciles publishes them again from there."""
    try:
        batch = AcceptedBatch.model_validate_json(delivery.payload)
    except ValidationError as error:
        log.error("not a batch of mails", faults=error.error_count(), size=len(delivery.payload))  # noqa: TRY400
        return None
    return Parcel(delivery, batch.mails)


def groups(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Messages that are settled in one request. Not parsed yet: parsed, they take ten times the memory."""
    group: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        more = len(delivery.payload)
        if group and size + more > MAX_REQUEST_BYTES:
            yield group
            group, size = [], 0
        group.append(delivery)
        size += more
    if group:
        yield group


def owed_of(parcels: Iterable[Parcel]) -> Iterator[Owed]:
    for parcel in parcels:
        for mail in parcel.mails:
            at_hand = MailAtHand(mail)
            for obligation in mail.obligations:
                if obligation.kind == "account":
                    yield Owed(parcel, at_hand, obligation)


def pieces(decided: Piece) -> Iterator[Piece]:
    """What goes into one request: bounded in number, and in bytes where children carry content."""
    piece: Piece = []
    size = 0
    for one, proposal in decided:
        more = 0
        if proposal.children or proposal.vacation is not None:
            children = [*proposal.children, *([proposal.vacation.child] if proposal.vacation else [])]
            more = sum(2 * len(child.content) + 2 * len(child.prefix) for child in children)
        if piece and (len(piece) >= MAX_SETTLEMENTS or size + more > MAX_SETTLEMENT_BYTES):
            yield piece
            piece, size = [], 0
        piece.append((one, proposal))
        size += more
    if piece:
        yield piece


def batch_of(piece: Piece) -> bytes:
    """The text of a batch with the mails of these alone, written anew."""
    mails = {id(one.at_hand): one.at_hand.mail for one, _ in piece}
    return AcceptedBatch(mails=list(mails.values())).model_dump_json().encode()
