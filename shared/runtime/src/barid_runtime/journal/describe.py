"""From what was read of a message to what its record says of it. One mapping for all who write to the journal."""

import json
from collections.abc import Sequence

from barid_contracts.mail import Accepted, Obligation
from barid_protocols.mime.summary import Summary


def describe(
    summary: Summary,
    *,
    mail_id: str,
    at: int,
    reverse_path: str,
    obligations: Sequence[Obligation] = (),
    trace: str = "",
    submitter: str | None = None,
    parent: str | None = None,
    origin: str = "",
    smtputf8: bool = False,
) -> Accepted:
    """The mail whose body was summarized; `at` in epoch ms. See Accepted for the rest.

    Built with validation, which in pydantic is quicker (in C) than `model_construct` (a Python loop over the fields).
    """
    raw = summary.header.raw
    return Accepted(
        mail_id=mail_id,
        at=at,
        reverse_path=reverse_path,
        obligations=list(obligations),
        trace=trace,
        size=summary.size,
        headers=raw.decode("latin-1"),
        headers_cut=len(raw) < summary.body_start,
        envelope=summary.envelope.decode("latin-1"),
        structure=summary.bodystructure.decode("latin-1"),
        parts=json.dumps(summary.parts, separators=(",", ":")) if summary.parts else "",
        message_id=(summary.message_id or b"").decode("latin-1"),
        subject=(summary.subject or b"").decode("latin-1"),
        received_count=summary.received_count,
        submitter=submitter,
        parent=parent,
        origin=origin,
        smtputf8=smtputf8,
    )
