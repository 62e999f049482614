"""The end of a message: from what arrived to a durable record and a 250 that names it.

The order is the promise: nothing says 250 but an append that has returned.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial

from barid_contracts.mail import Accepted, BodyRef, Obligation
from barid_protocols.mime import Summary
from barid_protocols.mime.submission import prepare_submission
from barid_protocols.smtp import (
    Address,
    Answer,
    Reply,
    ServerConnection,
    format_date,
    received,
    transmission_type,
)
from barid_runtime import tracing
from barid_runtime.journal.describe import describe
from barid_runtime.journal.port import JournalError
from barid_runtime.logging import get_logger

from ..policy import replies
from ..policy.loops import was_delivered_to_one
from ..policy.senders import judge_header
from ..ports import Later
from . import measures
from .desk import Desk
from .intake import Arrived, Edit, Intake, refusal_of

log = get_logger("smtp_ingress")


@dataclass(slots=True)
class Envelope:
    """What is known of a mail beside its octets. recipients: as many as were taken, and the first of them."""

    mail_id: str
    reverse_path: Address | None
    recipient: Address
    recipients: int
    obligations: Sequence[Obligation]
    smtputf8: bool
    submitter: str | None
    ip: str
    profile: str


def submission_edit(desk: Desk, mail_id: str) -> Edit:
    """RFC 6409 §8: no Bcc; Date and Message-ID if they are missing."""

    def edit(header: bytes) -> bytes:
        return prepare_submission(
            header,
            date=format_date(int(desk.clock.now())).encode(),
            message_id=f"<{mail_id}@{desk.settings.hostname}>".encode(),
        )

    return edit


def judge(desk: Desk, envelope: Envelope, arrived: Arrived, own: frozenset[str] | None) -> Reply | None:
    """own: the keys of the submitter's addresses; None if nobody submits it."""
    summary, delivered, _ = arrived
    if summary.received_count > desk.settings.max_hops or len(delivered) > desk.settings.max_hops:
        return replies.LOOP
    if delivered and envelope.reverse_path is not None and was_delivered_to_one(delivered, envelope.obligations):
        return replies.DELIVERED_BEFORE
    return judge_header(own, summary) if own is not None else None


def trace_of(desk: Desk, envelope: Envelope, core: ServerConnection, now: float) -> str:
    """Our Received field. It names the recipient only if there is one: others may be blind copies."""
    protocol = transmission_type(
        lmtp=envelope.profile == "lmtp",
        extended=core.extended,
        tls=core.tls,
        authenticated=core.login is not None,
        smtputf8=envelope.smtputf8,
    )
    return received(
        helo=core.hello,
        peer_ip=envelope.ip,
        by=desk.settings.hostname,
        protocol=protocol,
        mail_id=envelope.mail_id,
        timestamp=now,
        recipient=envelope.recipient if envelope.recipients == 1 and envelope.recipient.domain else None,
    ).decode("latin-1")


def accept(
    desk: Desk, envelope: Envelope, core: ServerConnection, intake: Intake, own: frozenset[str] | None
) -> Answer | Later | Awaitable[Answer]:
    """The answer to the end of data. Whatever it is, nothing of the message is left behind but its record."""
    if intake.spooled:
        return _accept_spooled(desk, envelope, core, intake, own)
    if intake.refusal is not None:
        return refuse(envelope, intake.refusal)
    arrived = intake.finish()
    body = arrived.body
    assert isinstance(body, bytes)
    if (refusal := judge(desk, envelope, arrived, own)) is not None:
        return refuse(envelope, refusal)
    mail = _mail_of(desk, envelope, core, arrived.summary)
    begun = time.perf_counter()
    try:
        done = desk.journal.submit(mail, body)
    except JournalError as error:
        return _refused(envelope, error)
    return Later(done, partial(_settle, envelope, mail, begun, done))


async def _accept_spooled(
    desk: Desk, envelope: Envelope, core: ServerConnection, intake: Intake, own: frozenset[str] | None
) -> Reply:
    try:
        if intake.refusal is not None:
            return refuse(envelope, intake.refusal)
        arrived = intake.finish()
        if (refusal := judge(desk, envelope, arrived, own)) is not None:
            return refuse(envelope, refusal)
        mail = _mail_of(desk, envelope, core, arrived.summary)
        begun = time.perf_counter()
        try:
            await desk.journal.append(mail, arrived.body)
        except JournalError as error:
            return _refused(envelope, error)
        return _taken(envelope, mail, begun)
    finally:
        await intake.discard()


def _mail_of(desk: Desk, envelope: Envelope, core: ServerConnection, summary: Summary) -> Accepted:
    now = desk.clock.now()
    return describe(
        summary,
        mail_id=envelope.mail_id,
        at=int(now * 1000),
        reverse_path=str(envelope.reverse_path) if envelope.reverse_path is not None else "",
        obligations=envelope.obligations,
        trace=trace_of(desk, envelope, core, now),
        submitter=envelope.submitter,
        origin=envelope.profile,
        smtputf8=envelope.smtputf8,
    )


def _settle(envelope: Envelope, mail: Accepted, begun: float, done: asyncio.Future[BodyRef]) -> Reply:
    """What the journal's answer means to the client."""
    try:
        done.result()
    except JournalError as error:
        return _refused(envelope, error)
    return _taken(envelope, mail, begun)


def _taken(envelope: Envelope, mail: Accepted, begun: float) -> Reply:
    took = time.perf_counter() - begun
    measures.append.observe(took)
    if tracing.door is not None:
        own = tracing.acceptance_of(mail.mail_id)
        began = time.time_ns() - int(took * 1e9)
        step = tracing.door.begin("smtp_ingress", "smtp.accept", mail.mail_id, own=own, began=began)
        if step is not None:
            step.end(size=mail.size, recipients=envelope.recipients, profile=envelope.profile)
    note(envelope, mail)
    return replies.accepted(mail.mail_id)


def _refused(envelope: Envelope, error: JournalError) -> Reply:
    log.warning("journal refused", mail_id=envelope.mail_id, error=str(error))
    return refuse(envelope, refusal_of(error))


def note(envelope: Envelope, mail: Accepted) -> None:
    measures.accepted[envelope.profile].inc()
    measures.octets.inc(mail.size)
    log.info(
        "accepted",
        mail_id=mail.mail_id,
        profile=envelope.profile,
        ip=envelope.ip,
        sender=mail.reverse_path,
        recipient=str(envelope.recipient),
        recipients=envelope.recipients,
        size=mail.size,
        message_id=mail.message_id,
    )


def refuse(envelope: Envelope, reply: Reply) -> Reply:
    """Log and count what ends a transaction at its data."""
    measures.refused(reply.code)
    log.info(
        "refused",
        reply=str(reply),
        profile=envelope.profile,
        ip=envelope.ip,
        sender=str(envelope.reverse_path or ""),
        recipients=envelope.recipients,
        submitter=envelope.submitter,
    )
    return reply
