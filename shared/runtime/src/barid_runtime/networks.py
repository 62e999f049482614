"""Whom limits count as one: networks, not connections."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

IPV6_PREFIX = 64
"""One link: a single host has 2**64 addresses to choose from. IPv4 addresses count one by one: a /24 of a provider of
virtual machines, or of an access provider, holds strangers to each other."""

IPV4_RANGE = 24
IPV6_RANGE = 48
"""What is handed out to one customer at most: a guesser may have it all, and need not."""


@lru_cache(maxsize=8192)
def parse_ip(ip: str) -> IPv4Address | IPv6Address | None:
    """IPv4 mapped into IPv6 is IPv4, whichever socket it came by."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=8192)
def network_of(ip: str) -> str:
    """The name under which a peer is counted; peers without an address (a UNIX socket) are one."""
    address = parse_ip(ip)
    if address is None:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, IPV6_PREFIX), strict=False))


@lru_cache(maxsize=8192)
def range_of(ip: str) -> str:
    """The name of what is around a peer's network, for limits that are wider."""
    address = parse_ip(ip)
    if address is None:
        return ""
    if isinstance(address, IPv4Address):
        return str(IPv4Network((address, IPV4_RANGE), strict=False))
    return str(IPv6Network((address, IPV6_RANGE), strict=False))


@lru_cache(maxsize=8192)
def within(ip: str, networks: tuple[Network, ...]) -> bool:
    address = parse_ip(ip)
    return address is not None and any(address in network for network in networks)


def is_loopback(ip: str) -> bool:
    address = parse_ip(ip)
    return address is not None and address.is_loopback
