"""What a notification tells, as data. Dates are RFC 5322 date-times, written by the host: this room has no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient's fate. ``address`` is the final recipient; ``status`` an enhanced code as ``5.1.1``.

    ``original`` is the ORCPT as the sender gave it, xtext undone, with its type (``rfc822;a@b``). ``remote_mta`` is
    the host that was spoken to, ``diagnostic`` its reply (``550 5.1.1 no such user``), if there was one; ``reason``
    is ours, for the reader, where nothing was replied.
    """

    address: str
    action: Action
    status: str
    original: str | None = None
    remote_mta: str | None = None
    diagnostic: str | None = None
    reason: str | None = None
    last_attempt: str | None = None
    will_retry_until: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What concerns all of ``recipients`` (at least one). ``envelope_id`` is the ENVID, xtext undone."""

    reporting_mta: str
    recipients: Sequence[Recipient]
    arrival_date: str | None = None
    envelope_id: str | None = None
    received_from: str | None = None
