"""Mail that has been here before, told while its sender is still on the line.

Delivery looks for the same and sends a notice, which for a forged field would go to somebody who never wrote. A mail
without a sender brings nobody a notice: delivery keeps it.
"""

from collections.abc import Iterable

from barid_contracts.mail import Obligation
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.words import decode_words

_FIELD = b"delivered-to"


def was_delivered_to_one(header: HeaderBlock, obligations: Iterable[Obligation]) -> bool:
    """Some Delivered-To field names an account of the obligations, read as delivery reads it."""
    # 0.15 µs with the call, and nearly no mail has the field.
    if _FIELD not in header:
        return False
    named = {decode_words(value).strip(" <>\t").lower() for value in header.all(_FIELD)}
    return any(owed.kind == "account" and owed.address.lower() in named for owed in obligations)
