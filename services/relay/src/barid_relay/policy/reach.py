"""Which addresses may be dialled when the DNS alone names them.

Whoever owns a domain chooses what we connect to: a record that says 127.0.0.1 or 10.0.0.7 makes of the relay a hand
behind the firewall. No host that takes mail from the Internet has such an address, so they are passed over like hosts
that don't exist, whatever else the DNS says. A route and the smarthost are the operator's word: they don't come here.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from barid_runtime.networks import Network, parse_ip, within

# The registries of special addresses of the IANA (RFC 6890). Written out, not `is_global`: what that says has changed
# between releases of Python.
_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # unspecified, this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind carriers' NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, given up
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
"""All that is given out; outside of it are loopback, link-local, unique local, multicast and what is reserved."""
_SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")


class Reach:
    """allowed: networks in which hosts are dialled although they are special."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def may_dial(self, address: str) -> bool:
        return is_public(address) or within(address, self._allowed)

    def sort_out(self, addresses: Sequence[str]) -> tuple[list[str], list[str]]:
        """Those that may be dialled, and those that may not; both in their order."""
        return [a for a in addresses if self.may_dial(a)], [a for a in addresses if not self.may_dial(a)]


@lru_cache(maxsize=4096)
def is_public(text: str) -> bool:
    """Whether a host of the Internet may have this address. IPv4 within IPv6 (mapped, NAT64, 6to4) counts as what it
    leads to."""
    address = parse_ip(text)
    if address is None:
        return False
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is None:
            return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)
        address = inner
    return not any(address in network for network in _SPECIAL_V4)


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return address.sixtofour
    return None


def same_host(known: Sequence[str]) -> Callable[[str], bool]:
    """Tells whether an address is one of the known, however either is written."""
    parsed = {parse_ip(each) for each in known} - {None}
    return lambda address: parse_ip(address) in parsed
