"""Addresses as keys: equal keys are one mailbox, as the directory sees it."""

import unicodedata
from functools import lru_cache

from barid_protocols.smtp import Address, AddressError, canonical_domain, parse_address

DETAIL = "+"
"""What stands between a user and a detail (RFC 5233)."""


@lru_cache(maxsize=8192)
def key_of(address: Address) -> str:
    """Local parts never differ in case alone here, domains compare as A-labels."""
    if not address.domain:
        return address.local.lower()
    text = str(Address(address.local, canonical_domain(address.domain)))
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.lower())


def key_of_text(text: str) -> str | None:
    """None for what is no address."""
    try:
        return key_of(parse_address(text))
    except AddressError:
        return None


def without_detail(key: str) -> str:
    """`user+detail@domain` → `user@domain`; the same key if there is no detail."""
    plus = key.find(DETAIL, 1)
    if plus < 0:
        return key
    at = key.rfind("@")
    return key[:plus] + key[at:] if plus < at else key


def is_postmaster(key: str) -> bool:
    """RFC 5321 §4.5.1: mail for it is never refused for reasons of policy."""
    return key == "postmaster" or key.startswith("postmaster@")
