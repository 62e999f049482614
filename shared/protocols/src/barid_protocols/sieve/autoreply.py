"""Whether a vacation reply may be sent (RFC 5230 §4.5 and §4.6, RFC 3834 §2): a pure decision.

Two robots must never talk to each other, and no list may hear from us; so in doubt the answer is no. The host adds
what needs memory: one reply per sender and `Vacation.key` within `days`.
"""

import re
from collections.abc import Iterable
from enum import Enum

from barid_protocols.sieve.addresses import parse_path
from barid_protocols.sieve.headers import HeaderView
from barid_protocols.sieve.matching import fold_ascii


class Refusal(Enum):
    """Why no reply is sent; the value is for traces."""

    NULL_SENDER = "the sender is the null reverse-path"
    ROBOT_SENDER = "the sender's name is that of a list or a robot"
    OWN_MESSAGE = "the sender is the owner"
    LIST = "the message came through a mailing list"
    BULK = "the message is marked as bulk"
    AUTOMATIC = "the message was sent by a machine"
    NOT_ADDRESSED = "no address of the owner stands in To or Cc"


_LIST_HEADERS = (
    *("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive"),
    *("mailing-list", "x-mailing-list"),
)
_RECIPIENT_HEADERS = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")  # RFC 5230 §4.5
_ROBOT = re.compile(
    r"owner-.*|.*-(?:request|owner|bounces?|confirm|errors)|bounces?[-+].*|mailer-?daemon|daemon|listserv|majordomo"
    r"|mailman|postmaster-bounces",
    re.DOTALL,
)
_BULK = frozenset({"bulk", "list", "junk"})
_SUPPRESS = frozenset({"all", "oof", "autoreply"})  # X-Auto-Response-Suppress of Exchange; "oof" is out of office


def refuse_reply(headers: HeaderView, envelope_from: str, own_addresses: Iterable[str]) -> Refusal | None:
    """None if a reply may go to `envelope_from`.

    `own_addresses` are all addresses of the account (the envelope recipient, aliases) and those of
    `Vacation.addresses`; they are compared without case.
    """
    sender = parse_path(envelope_from)
    if not sender.local:
        return Refusal.NULL_SENDER
    if _ROBOT.fullmatch(fold_ascii(sender.local)):
        return Refusal.ROBOT_SENDER
    own = {fold_ascii(parse_path(address).spec) for address in own_addresses}
    if fold_ascii(sender.spec) in own:
        return Refusal.OWN_MESSAGE
    if any(headers.raw_values(name) for name in _LIST_HEADERS):
        return Refusal.LIST
    if any(_first_word(value) in _BULK for value in headers.header_values("precedence")):
        return Refusal.BULK
    if any(_first_word(value) != "no" for value in headers.header_values("auto-submitted")):
        return Refusal.AUTOMATIC
    for value in headers.header_values("x-auto-response-suppress"):
        if _SUPPRESS.intersection(word.strip() for word in fold_ascii(value).split(",")):
            return Refusal.AUTOMATIC
    for name in _RECIPIENT_HEADERS:
        if any(fold_ascii(address.spec) in own for address in headers.addresses(name)):
            return None
    return Refusal.NOT_ADDRESSED


def _first_word(value: str) -> str:
    return re.split(r"[\s;(]", fold_ascii(value), maxsplit=1)[0]
