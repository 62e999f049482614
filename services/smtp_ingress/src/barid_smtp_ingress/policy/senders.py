"""Whether who submits a mail may say that it comes from that address (RFC 6409 §6.1)."""

from collections.abc import Iterable

from barid_contracts.directory import Account
from barid_protocols.mime import Summary
from barid_protocols.mime.addresses import Address as HeaderAddress
from barid_protocols.smtp import Reply

from . import replies
from .addresses import key_of_text, without_detail


def own_keys(account: Account) -> frozenset[str]:
    keys = (key_of_text(address) for address in (account.address, *account.addresses))
    return frozenset(key for key in keys if key is not None)


def owns(own: frozenset[str], key: str) -> bool:
    """Its own addresses, each with any detail; also where somebody else's account bears that very detail in its name,
    which whoever makes such accounts has to know."""
    return key in own or without_detail(key) in own


def judge_header(own: frozenset[str], summary: Summary) -> Reply | None:
    """What the header of a submitted mail says of its origin: one From field, of whose authors one is the submitter.

    A field that was not read might name anybody, so a header is read whole or refused.
    """
    if summary.header_is_cut:
        return replies.HEADER_TOO_BIG
    if summary.from_count > 1:
        return replies.SEVERAL_FROM
    if not summary.from_count:
        return None
    if any(key is not None and owns(own, key) for key in _authors(summary.header_from)):
        return None
    return replies.NOT_YOUR_FROM


def _authors(addresses: Iterable[HeaderAddress]) -> Iterable[str | None]:
    return (key_of_text(found.address.decode("utf-8", "replace")) for found in addresses if found.is_mailbox)
