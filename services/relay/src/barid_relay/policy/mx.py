"""The hosts of a domain, in the order of RFC 5321 §5.1, from what the DNS says."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from itertools import zip_longest

from ..ports.hosts import Answer, Fate

MOST_HOSTS = 8
"""Hosts tried for one domain in one attempt; large operators publish up to five."""

MOST_OF_HOST = 4
"""Addresses of one host tried in one attempt."""

NULL_MX = Answer(Fate.BOUNCED, "5.1.10", reason="The domain says that it takes no mail (null MX, RFC 7505)")
LOOP = Answer(Fate.BOUNCED, "5.4.6", reason="Mail for this domain would come back to this host")
NO_SUCH_DOMAIN = Answer(Fate.BOUNCED, "5.1.2", reason="The domain does not exist")
NO_HOST = Answer(Fate.BOUNCED, "5.4.4", reason="The domain has no host for its mail")
BAD_DOMAIN = Answer(Fate.BOUNCED, "5.1.2", reason="The address has no domain that mail can go to")


def not_public(addresses: Sequence[str]) -> Answer:
    """Every host there is has only addresses that we don't dial (`policy.reach`)."""
    named = ", ".join(addresses[:3]) + (", …" if len(addresses) > 3 else "")
    reason = f"The domain's host for mail has an address that is not on the Internet ({named}), so nobody was dialled"
    return Answer(Fate.BOUNCED, "5.4.4", reason=reason)


def mx_hosts(
    domain: str,
    records: Sequence[tuple[int, str]],
    is_own: Callable[[str], bool],
    shuffle: Callable[[list[str]], None],
) -> list[list[str]] | Answer:
    """Groups of hosts: best first, equals together in random order (§5.1); or why there is none.

    No record at all: the domain itself is the host. We ourselves among them, by name: only better ones are of use, lest
    mail go round in circles. A lone "" is the null MX; among others it is only an unusable name.
    """
    if not records:
        return LOOP if is_own(domain) else [[domain]]
    usable = [(preference, host) for preference, host in records if host]
    if not usable:
        return NULL_MX
    limit = min((preference for preference, host in usable if is_own(host)), default=None)
    if limit is not None:
        usable = [(preference, host) for preference, host in usable if preference < limit]
        if not usable:
            return LOOP
    groups: list[list[str]] = []
    seen: set[str] = set()
    for preference in sorted({preference for preference, _ in usable}):
        equals = sorted({host for each, host in usable if each == preference} - seen)
        shuffle(equals)
        equals = equals[: MOST_HOSTS - len(seen)]
        if equals:
            groups.append(equals)
            seen.update(equals)
    return groups


def in_turns(addresses: Sequence[str]) -> list[str]:
    """The first few, IPv4 and IPv6 by turns, each in its order: a machine may have only one of them that works, and one
    host with many addresses must not be all that is tried."""
    v4 = [address for address in addresses if ":" not in address][:MOST_OF_HOST]
    v6 = [address for address in addresses if ":" in address][:MOST_OF_HOST]
    return [address for pair in zip_longest(v4, v6) for address in pair if address is not None][:MOST_OF_HOST]


def literal_address(domain: str) -> str | None:
    """The address in a literal (`[192.0.2.1]`, `[IPv6:2001:db8::1]`); None if it is none."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    text = domain[1:-1]
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    if "%" in text:  # a zone is for this machine alone, and RFC 5321 §4.1.3 has none
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        return None
