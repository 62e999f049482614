"""Mails in real packs, and a relay that owns what is owed to others."""

import asyncio
from pathlib import Path

from barid_contracts import settle
from barid_contracts.mail import ACCEPTED_STREAM, Accepted, AcceptedBatch
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.journal.lifecycle import packs
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.publisher import Publisher

from .desk import make_mail

BODY = b"Subject: hello\r\n\r\nhi\r\n"


class Relay:
    """Owns remote obligations: `known` are queued or done, `packs` are those its queue refers to."""

    def __init__(self) -> None:
        self.known: set[tuple[str, int]] = set()
        self.packs: set[str] = set()
        self.away = False

    async def missing(self, request: settle.MissingRequest) -> settle.MissingReply:
        if self.away:
            raise OperationFailed("unavailable")
        return settle.MissingReply(keys=[key for key in request.keys if (key.mail_id, key.n) not in self.known])

    async def references(self, request: settle.ReferencesRequest) -> settle.ReferencesReply:
        if self.away:
            raise OperationFailed("unavailable")
        return settle.ReferencesReply(packs=[pack for pack in request.packs if pack in self.packs])


async def accept(
    bus: Bus, root: Path, mails: list[Accepted], *, seal: bool = True
) -> tuple[list[Accepted], PackJournal]:
    """As an ingress does: journalled, published, the pack sealed."""
    journal = PackJournal(root, "smtp_ingress")
    publisher = Publisher(journal, bus)
    await publisher.start()
    refs = await asyncio.gather(*[journal.append(mail, BODY) for mail in mails])
    await publisher.idle()
    if seal:
        await journal.close()
    await publisher.close()
    return [mail.model_copy(update={"ref": ref}) for mail, ref in zip(mails, refs, strict=True)], journal


async def published(bus: Bus, kind: str, subject: str) -> list[Accepted]:
    consumer = await bus.consumer(ACCEPTED_STREAM, durable=kind, subject=subject)
    mails: list[Accepted] = []
    while deliveries := await consumer.fetch(50, 0.3):
        for delivery in deliveries:
            mails += AcceptedBatch.model_validate_json(delivery.payload).mails
            await delivery.ack()
    return mails


def owed(*recipients: str, **more: object) -> Accepted:
    return make_mail(*recipients, size=len(BODY), **more)  # type: ignore[arg-type]


def states(root: Path) -> list[str]:
    return [pack.state for pack in packs(root)]
