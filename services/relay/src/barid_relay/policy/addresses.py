"""Addresses as they are queued and as they go out."""

from barid_protocols.smtp import AddressError, canonical_domain, parse_address


def domain_of(address: str) -> str:
    """Canonical (lower case, A-labels); "" for what is no address with a domain."""
    try:
        return canonical_domain(parse_address(address).domain).rstrip(".")
    except AddressError:
        return ""


def for_the_wire(address: str) -> str:
    """The domain as A-labels, so that only a local part that needs it asks for SMTPUTF8 (RFC 6531 §3.2)."""
    if address.isascii():
        return address
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{canonical_domain(domain)}"
