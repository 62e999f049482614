"""The addresses to dial for a destination, best first."""

from collections.abc import Callable

from ..policy.mx import (
    BAD_DOMAIN,
    MOST_HOSTS,
    NO_HOST,
    NO_SUCH_DOMAIN,
    literal_address,
    mx_hosts,
)
from ..policy.routing import ByMx, Fixed, Keep, Routing
from ..ports.hosts import Answer, DialFailed, Fate, Hop, NoSuchName, ResolveFailed, Resolver

CAPTURED = Answer(Fate.CAPTURED, "2.0.0", reason="kept here instead of sent")

MOST_ADDRESSES = 12
"""Dialled for one destination in one attempt: with the time that a silent one takes, six minutes."""


class Finder:
    def __init__(self, resolver: Resolver, routing: Routing, shuffle: Callable[[list[str]], None]) -> None:
        self._resolver = resolver
        self._routing = routing
        self._shuffle = shuffle

    async def hops(self, destination: str) -> list[Hop]:
        """At least one. Raises DialFailed; its answer is CAPTURED where nobody is to be dialled."""
        match self._routing.way(destination):
            case Keep():
                raise DialFailed(CAPTURED)
            case Fixed(hop):
                return [hop]
            case ByMx(domain):
                return await self._by_mx(domain)

    async def _by_mx(self, domain: str) -> list[Hop]:
        if not domain:
            raise DialFailed(BAD_DOMAIN)
        if domain.startswith("["):
            address = literal_address(domain)
            if address is None:
                raise DialFailed(BAD_DOMAIN)
            return [self._hop(address, address)]
        try:
            records = await self._resolver.mx(domain)
        except NoSuchName:
            raise DialFailed(NO_SUCH_DOMAIN) from None
        except ResolveFailed as error:
            raise DialFailed(_later(error)) from error
        hosts = mx_hosts(domain, records, self._routing.is_own, self._shuffle)
        if isinstance(hosts, Answer):
            raise DialFailed(hosts)
        return await self._addresses(hosts[:MOST_HOSTS])

    async def _addresses(self, hosts: list[str]) -> list[Hop]:
        found: list[Hop] = []
        failure: ResolveFailed | None = None
        for host in hosts:
            try:
                addresses = await self._resolver.addresses(host)
            except NoSuchName:
                continue
            except ResolveFailed as error:
                failure = error
                continue
            found += [self._hop(host, address) for address in addresses]
        if found:
            return found[:MOST_ADDRESSES]
        # RFC 5321 §5.1: hosts that the DNS names but does not know are an error, not a reason to try the domain itself.
        raise DialFailed(_later(failure) if failure else NO_HOST)

    def _hop(self, name: str, address: str) -> Hop:
        return Hop(name, address, self._routing.port, by_mx=True)


def _later(error: ResolveFailed) -> Answer:
    return Answer(Fate.DEFERRED, "4.4.3", reason=f"The DNS does not answer: {error}")
