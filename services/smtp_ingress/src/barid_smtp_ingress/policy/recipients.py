"""Whether a recipient is taken, and what is owed to whom if so."""

from collections.abc import Callable
from typing import Literal

from barid_contracts.mail import Obligation
from barid_protocols.smtp import Address, Profile, Reply
from barid_protocols.smtp.replies import NO_SUCH_USER, RELAY_DENIED

from ..ports import Leads
from . import replies
from .addresses import is_postmaster

Status = Literal["local", "remote", "unknown", "loop"]

MAX_OBLIGATIONS = 10_000
"""Of one mail: its record and its event must fit one message of the bus."""


def judge(
    key: str, status: Status, leads: Leads, *, profile: Profile, may_relay: bool, over_quota: Callable[[str], bool]
) -> Reply | None:
    """None takes it. may_relay: the peer may send to other domains through us; nobody may by default."""
    if status == "remote":
        return None if may_relay else RELAY_DENIED
    if status == "loop":
        return replies.ADDRESS_LOOPS
    if status == "unknown" or not leads:
        return NO_SUCH_USER
    # One end with room is enough: what was accepted is always filed, and the others are the owner's to clear.
    for lead in leads:
        if lead.account is None or not over_quota(lead.account):
            return None
    if is_postmaster(key):
        return None
    # Another system tries again for days, in which the owner may clear up; a person wants to know now.
    waits = profile in (Profile.MX, Profile.LMTP)
    return replies.MAILBOX_FULL_FOR_NOW if waits else replies.MAILBOX_FULL


class Owed:
    """The obligations of a transaction as they gather. Two ways to one account, or to one remote address, are one."""

    __slots__ = ("_seen", "obligations")

    def __init__(self) -> None:
        self.obligations: list[Obligation] = []
        self._seen: set[str] = set()

    def room_for(self, leads: Leads) -> bool:
        return len(self.obligations) + len(leads) <= MAX_OBLIGATIONS

    def add(self, original: Address, leads: Leads) -> None:
        seen = self._seen
        for kind, address, account, detail in leads:
            # Ids of accounts hold no `@`, addresses do: one set serves both.
            end = account if account is not None else address
            if end in seen:
                continue
            seen.add(end)
            self.obligations.append(
                Obligation(
                    n=len(self.obligations),
                    kind="account" if kind == "account" else "remote",
                    address=address,
                    original=str(original),
                    account=account,
                    detail=detail,
                )
            )
