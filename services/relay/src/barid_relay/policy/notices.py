"""What the sender is told: delivery status notifications (RFC 3464), as children of the mail.

One notice for all recipients that failed together. Its name is a function of the mail and the first of them, so one
that is made twice is the same. A mail with the null reverse path is never answered (RFC 5321 §6.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from barid_contracts.settle import Child
from barid_protocols.dsn import Action, Recipient, Report, build_dsn
from barid_protocols.smtp import format_date
from barid_runtime.ids import child_id

from ..ports.hosts import Fate
from ..ports.queue import Notices, Parcel, Result
from .schedule import Schedule

MOST_HEADER = 64 * 1024
"""Bytes of the original's header block that are given back."""

FAILED, DELAYED = 0, 1
"""Which child of the obligation it is."""

EXPIRED = "4.4.7"
"""RFC 3463 §3.5: delivery time expired; persistent, but not the destination's last word."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Notices for one parcel. header: the original's header block, our trace included. now: epoch seconds."""

    hostname: str
    schedule: Schedule
    parcel: Parcel
    header: bytes
    now: int

    def __call__(self, results: Sequence[Result]) -> Notices:
        if not self.parcel.reverse_path:
            return Notices()
        failed = [result for result in results if result.fate is Fate.BOUNCED]
        delayed = [result for result in results if result.warn]
        return Notices(
            self._child(failed, Action.FAILED, FAILED) if failed else None,
            self._child(delayed, Action.DELAYED, DELAYED) if delayed else None,
        )

    def _child(self, results: Sequence[Result], action: Action, kind: int) -> Child:
        parcel = self.parcel
        mail_id = child_id(parcel.mail_id, min(result.recipient.n for result in results), kind)
        date = format_date(self.now)
        report = Report(
            self.hostname,
            [self._recipient(result, action, date) for result in results],
            arrival_date=format_date(parcel.at // 1000),
        )
        return Child(
            mail_id=mail_id,
            kind="dsn",
            reverse_path="",
            recipients=[parcel.reverse_path],
            body="own",
            content=self._content(report, mail_id, date),
        )

    def _recipient(self, result: Result, action: Action, date: str) -> Recipient:
        recipient, answer = result.recipient, result.answer
        reason = answer.reason
        if result.expired:
            reason = f"It could not be delivered in time. {reason}".strip()
        return Recipient(
            recipient.address,
            action,
            EXPIRED if result.expired else answer.status,
            original=f"rfc822;{recipient.original}" if recipient.original != recipient.address else None,
            remote_mta=answer.host or None,
            diagnostic=answer.reply or None,
            reason=reason or None,
            last_attempt=date,
            will_retry_until=format_date(self.schedule.until(self.parcel)) if action is Action.DELAYED else None,
        )

    def _content(self, report: Report, mail_id: str, date: str) -> bytes:
        header = self.header
        boundary = f"barid-{mail_id}"
        if b"--" + boundary.encode() in header:
            # Names are not to be guessed, so nobody does this by chance; then the report goes without the header.
            header = b""
        return build_dsn(
            report,
            sender=f"MAILER-DAEMON@{self.hostname}",
            recipient=self.parcel.reverse_path,
            date=date,
            message_id=f"<{mail_id}@{self.hostname}>",
            boundary=boundary,
            original_header=header,
        )


def header_block(start: bytes) -> bytes:
    """The header block at a message's start, which may have been cut; whole lines only."""
    if start.startswith(b"\r\n"):
        return b""
    end = start.find(b"\r\n\r\n")
    if end < 0:
        end = start.rfind(b"\r\n")
    return start[: end + 2] if end >= 0 else b""
