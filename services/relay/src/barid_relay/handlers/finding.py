"""The addresses to dial for a destination, best first."""

from collections.abc import Callable

from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger

from ..policy.mx import (
    BAD_DOMAIN,
    LOOP,
    NO_HOST,
    NO_SUCH_DOMAIN,
    in_turns,
    literal_address,
    mx_hosts,
    not_public,
)
from ..policy.reach import same_host
from ..policy.routing import ByMx, Fixed, Keep, Routing
from ..ports.hosts import Answer, DialFailed, Fate, Hop, NoSuchName, ResolveFailed, Resolver

log = get_logger("relay.finding")

CAPTURED = Answer(Fate.CAPTURED, "2.0.0", reason="kept here instead of sent")

MOST_ADDRESSES = 12
"""Dialled for one destination in one attempt: with the time that a silent one takes, six minutes."""


OWN_FRESH = 300.0
"""Seconds that what the DNS says of our own name is believed, and also that it said nothing."""


class Finder:
    def __init__(
        self, resolver: Resolver, routing: Routing, clock: Clock, shuffle: Callable[[list[str]], None]
    ) -> None:
        self._resolver = resolver
        self._routing = routing
        self._clock = clock
        self._shuffle = shuffle
        self._is_own_address: Callable[[str], bool] = same_host(routing.own_addresses)
        self._own_until = 0.0

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
        await self._know_ourselves()
        if domain.startswith("["):
            address = literal_address(domain)
            if address is None:
                raise DialFailed(BAD_DOMAIN)
            if self._is_own_address(address):
                raise DialFailed(LOOP)
            if not self._routing.reach.may_dial(address):
                raise DialFailed(not_public([address]))
            return [self._hop(address, address)]
        try:
            records = await self._resolver.mx(domain)
        except NoSuchName:
            raise DialFailed(NO_SUCH_DOMAIN) from None
        except ResolveFailed as error:
            raise DialFailed(_later(error)) from error
        groups = mx_hosts(domain, records, self._routing.is_own, self._shuffle)
        if isinstance(groups, Answer):
            raise DialFailed(groups)
        return await self._addresses(groups)

    async def _addresses(self, groups: list[list[str]]) -> list[Hop]:
        found: list[Hop] = []
        passed_over: list[str] = []
        failure: ResolveFailed | None = None
        loop = False
        for equals in groups:
            hops: list[Hop] = []
            for host in equals:
                try:
                    addresses = await self._resolver.addresses(host)
                except NoSuchName:
                    continue
                except ResolveFailed as error:
                    failure = error
                    continue
                if any(map(self._is_own_address, addresses)):
                    # Ourselves under another name: of no use, and neither are our equals nor who is worse, as they
                    # would give the mail to us (RFC 5321 §5.1).
                    loop = True
                    break
                public, special = self._routing.reach.sort_out(addresses)
                hops += [self._hop(host, address) for address in in_turns(public)]
                passed_over += special
            if loop:
                break
            found += hops
        if found:
            return found[:MOST_ADDRESSES]
        if failure is not None:
            raise DialFailed(_later(failure))
        if loop:
            raise DialFailed(LOOP)
        # RFC 5321 §5.1: hosts that the DNS names but does not know are an error, not a reason to try the domain itself.
        raise DialFailed(not_public(passed_over) if passed_over else NO_HOST)

    async def _know_ourselves(self) -> None:
        """Our name's addresses in the DNS are ours, whatever the MX host is called that has one of them."""
        now = self._clock.now()
        if now < self._own_until:
            return
        self._own_until = now + OWN_FRESH
        known = list(self._routing.own_addresses)
        if "." in self._routing.hostname:
            try:
                known += await self._resolver.addresses(self._routing.hostname)
            except (NoSuchName, ResolveFailed) as error:
                # A host that greets with our name is found out all the same, one connection later.
                log.info("own addresses not known", hostname=self._routing.hostname, error=str(error))
        self._is_own_address = same_host(known)

    def _hop(self, name: str, address: str) -> Hop:
        return Hop(name, address, self._routing.port, by_mx=True)


def _later(error: ResolveFailed) -> Answer:
    return Answer(Fate.DEFERRED, "4.4.3", reason=f"The DNS does not answer: {error}")
