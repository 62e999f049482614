"""Mails that a delivery makes: notices of failure, redirected mails, vacation replies.

Each has an id derived from the obligation that made it, so that a repeated run makes the same child.
"""

from dataclasses import replace
from datetime import UTC, datetime

from barid_contracts.mail import Obligation
from barid_contracts.settle import Child, VacationMemory
from barid_protocols.dsn import Action, Recipient, Report, build_dsn
from barid_protocols.sieve import Refusal, Vacation, build_reply, parse_addresses, refuse_reply
from barid_protocols.smtp.received import format_date
from barid_runtime.ids import child_id

from .at_hand import MailAtHand

DAY_MS = 86_400_000


def failure_notice(
    at_hand: MailAtHand, obligation: Obligation, *, status: str, reason: str, hostname: str, now: float
) -> Child:
    """To the sender: this could not be delivered. The mail must have a sender (RFC 5321 §4.5.5)."""
    mail = at_hand.mail
    mail_id = child_id(mail.mail_id, obligation.n, 0)
    content = build_dsn(
        Report(
            reporting_mta=hostname,
            recipients=[
                Recipient(
                    address=obligation.address,
                    action=Action.FAILED,
                    status=status,
                    original=f"rfc822;{obligation.original}",
                    reason=reason,
                )
            ],
            arrival_date=format_date(mail.at // 1000),
        ),
        sender=f"MAILER-DAEMON@{hostname}",
        recipient=mail.reverse_path,
        date=format_date(int(now)),
        message_id=f"<{mail_id}@{hostname}>",
        boundary=f"=_{mail_id}",
        original_header=at_hand.header_block,
    )
    return Child(
        mail_id=mail_id, kind="dsn", reverse_path="", recipients=[mail.reverse_path], body="own", content=content
    )


def redirected(
    at_hand: MailAtHand, obligation: Obligation, address: str, *, k: int, hostname: str, now: float
) -> Child:
    """The mail itself, to somebody else, as its `k`-th child.

    RFC 5228 §4.2: the envelope sender may be kept, and is, as forwarding always did (a null one must be, lest notices
    breed notices); Received fields stay and become more: ours, which is not part of the body, goes before it.
    Delivered-To is what local delivery has always left for its loop check: if the mail ever comes back, it is found
    out.
    """
    mail = at_hand.mail
    mail_id = child_id(mail.mail_id, obligation.n, k)
    # A child's child came through no door of ours that could have left a Received field.
    trace = mail.trace or f"Received: by {hostname} (Barid) id {mail_id};\r\n\t{format_date(int(now))}\r\n"
    delivered_to = obligation.address.encode().decode("latin-1")
    return Child(
        mail_id=mail_id,
        kind="redirect",
        reverse_path=mail.reverse_path,
        recipients=[address],
        body="same",
        prefix=f"Delivered-To: {delivered_to}\r\n{trace}",
    )


def vacation_reply(
    at_hand: MailAtHand,
    obligation: Obligation,
    vacation: Vacation,
    own_addresses: list[str],
    *,
    k: int,
    hostname: str,
    now: float,
) -> VacationMemory | Refusal:
    """The reply, with the memory that it is bound to; or why there is none.

    A `:from` that is not the owner's is left out (RFC 5230 §4.3 leaves its check to us): nobody writes as somebody
    else.
    """
    mail = at_hand.mail
    refusal = refuse_reply(at_hand.headers, mail.reverse_path, [*own_addresses, *vacation.addresses])
    if refusal is not None:
        return refusal
    if vacation.sender is not None:
        senders = parse_addresses(vacation.sender)
        own = {address.lower() for address in own_addresses}
        if len(senders) != 1 or senders[0].spec.lower() not in own:
            vacation = replace(vacation, sender=None)
    mail_id = child_id(mail.mail_id, obligation.n, k)
    content = build_reply(
        vacation,
        at_hand.headers,
        recipient=mail.reverse_path,
        default_sender=own_addresses[0],
        date=datetime.fromtimestamp(int(now), UTC),
        message_id=f"<{mail_id}@{hostname}>",
    )
    return VacationMemory(
        handle=vacation.key,
        sender=mail.reverse_path.lower(),
        until=int(now * 1000) + vacation.days * DAY_MS,
        # RFC 5230 §5: the null reverse-path, so that nobody answers the answer.
        child=Child(
            mail_id=mail_id,
            kind="vacation",
            reverse_path="",
            recipients=[mail.reverse_path],
            body="own",
            content=content,
        ),
    )
