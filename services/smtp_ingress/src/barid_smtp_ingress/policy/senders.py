"""Whether who submits a mail may say that it comes from that address (RFC 6409 §6.1)."""

from collections.abc import Sequence

from barid_contracts.directory import Account
from barid_protocols.mime import Summary
from barid_protocols.mime.addresses import Address as HeaderAddress
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.limits import MAX_ADDRESS_TOKENS, MAX_ORIGINATORS
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
    """What the header of a submitted mail says of its origin (RFC 6409 §6.3 lets us check).

    One From field (RFC 5322 §3.6), and one of its authors is the submitter. Where there is a Sender field, it is one
    (§3.6) and the submitter's; other authors need one (§3.6.2), unless all of them are the submitter, too. A field
    that was not read might name anybody, so a header is read whole or refused.
    """
    header = summary.header
    if summary.header_is_cut:
        return replies.HEADER_TOO_BIG
    if summary.from_count != 1:
        return replies.SEVERAL_FROM if summary.from_count else replies.NO_FROM
    authors = _owned(own, summary.header_from)
    if True not in authors:
        return replies.NOT_YOUR_FROM
    if b"sender" in header:
        if header.count(b"sender") > 1:
            return replies.SEVERAL_SENDERS
        senders = _owned(own, summary.sender)
        return (
            None
            if senders and all(senders) and _is_read_whole(summary.sender, header, b"sender")
            else replies.NOT_YOUR_SENDER
        )
    return None if all(authors) and _is_read_whole(summary.header_from, header, b"from") else replies.SENDER_MISSING


def _owned(own: frozenset[str], addresses: Sequence[HeaderAddress]) -> list[bool]:
    """Of each mailbox, whether it is one's own. What is no address is nobody's."""
    keys = [key_of_text(found.address.decode("utf-8", "replace")) for found in addresses if found.is_mailbox]
    return [key is not None and owns(own, key) for key in keys]


def _is_read_whole(found: Sequence[HeaderAddress], header: HeaderBlock, name: bytes) -> bool:
    """Nothing of the field was left out for being one address, or one token, of an octet at least, too many."""
    return len(found) < MAX_ORIGINATORS and len(header.raw_value(name) or b"") <= MAX_ADDRESS_TOKENS
