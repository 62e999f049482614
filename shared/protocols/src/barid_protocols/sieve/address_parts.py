"""The parts of an address a test may look at (RFC 5228 §2.7.4, RFC 5233)."""

from collections.abc import Callable, Sequence

from barid_protocols.sieve.addresses import Address
from barid_protocols.sieve.scope import Scope
from barid_protocols.sieve.signature import Bound, Tag

ADDRESS_TAGS: dict[str, Tag] = {
    "all": Tag(group="address part"),
    "localpart": Tag(group="address part"),
    "domain": Tag(group="address part"),
    "user": Tag(group="address part", capability="subaddress"),
    "detail": Tag(group="address part", capability="subaddress"),
}

Parts = Callable[[Sequence[Address]], list[str]]
"""The wanted part of each address that has it."""


def address_part(scope: Scope, bound: Bound) -> Parts:
    """The null path gives "" for every part but :detail; a word without @ has no domain."""
    separator = scope.separator
    match bound.chosen("address part", "all"):
        case "localpart":
            return lambda addresses: [a.local for a in addresses]
        case "domain":
            return lambda addresses: [a.domain for a in addresses if a.domain or not a.local]
        case "user":
            return lambda addresses: [a.local.partition(separator)[0] for a in addresses]
        case "detail":
            # RFC 5233 §4: without a separator there is no detail and the test fails, even against "".
            return lambda addresses: [a.local.partition(separator)[2] for a in addresses if separator in a.local]
        case _:
            return lambda addresses: [a.spec for a in addresses]
