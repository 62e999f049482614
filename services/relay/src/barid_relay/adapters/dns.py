"""Names resolved: by the DNS through dnspython, or from a master file.

dnspython is imported when the first name is asked for: it costs 10 MB and 0.1 s that a relay which captures, or knows
only a smarthost, need not pay.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barid_runtime.logging import get_logger

from ..ports.hosts import NoSuchName, ResolveFailed
from ..settings import Settings, host_and_port

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as DnsPythonResolver
    from dns.zone import Zone

LIFETIME = 20.0
"""Seconds for one name over all servers and repeats: more than any resolver needs that is going to answer."""

CACHED = 4096
"""Answers kept as long as their TTL says."""

CNAMES_MOST = 8
"""Links followed in a zone file."""

RECORDS_MOST = 32
"""Records of one answer that are looked at; who publishes more gets the first ones."""

log = get_logger("relay.dns")


class DnsResolver:
    """A Resolver that asks name servers: those given, or the system's."""

    def __init__(self, nameservers: list[str]) -> None:
        self._nameservers = [host_and_port(each, 53) for each in nameservers]
        self._resolver: DnsPythonResolver | None = None

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return [
            (record.preference, record.exchange.to_text(omit_final_dot=True).lower().removesuffix("."))
            for record in await self._ask(domain, "MX")
        ]

    async def addresses(self, host: str) -> list[str]:
        """One family may fail as long as the other answers."""
        found = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"), return_exceptions=True)
        addresses = [record.address for each in found if not isinstance(each, BaseException) for record in each]
        if not addresses:
            for each in found:
                if isinstance(each, BaseException):
                    raise each
        return addresses

    async def _ask(self, name: str, kind: str) -> list[Any]:
        import dns.exception
        import dns.name
        import dns.resolver

        if self._resolver is None:
            self._resolver = self._make()
        try:
            # With the last dot: no search list makes another name of it.
            answer = await self._resolver.resolve(f"{name}.", kind, lifetime=LIFETIME)
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(name) from None
        except dns.resolver.NoAnswer:
            return []
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, dns.name.BadEscape):
            raise NoSuchName(name) from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise ResolveFailed(f"{kind} of {name}: {type(error).__name__}") from error
        return list(answer)[:RECORDS_MOST]

    def _make(self) -> "DnsPythonResolver":
        import dns.asyncresolver
        import dns.nameserver
        import dns.resolver

        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._nameservers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ResolveFailed("this system names no DNS server") from error
        if self._nameservers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
        resolver.cache = dns.resolver.LRUCache(CACHED)
        return resolver


class ZoneResolver:
    """A Resolver that knows a master file and nothing else. Raises ValueError when the file is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zone: Zone | None = None

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        return [
            (record.preference, record.exchange.to_text(omit_final_dot=True).lower().removesuffix("."))
            for record in self._find(domain, "MX")
        ]

    async def addresses(self, host: str) -> list[str]:
        return [record.address for kind in ("A", "AAAA") for record in self._find(host, kind)]

    def _find(self, name: str, kind: str) -> Iterable[Any]:
        import dns.exception
        import dns.name

        if self._zone is None:
            self._zone = self._load()
        try:
            owner = dns.name.from_text(name, dns.name.root)
        except (dns.exception.DNSException, UnicodeError):
            raise NoSuchName(name) from None
        for _ in range(CNAMES_MOST):
            node = self._zone.get_node(owner)
            if node is None:
                raise NoSuchName(name)
            records = self._zone.get_rdataset(owner, kind)
            if records is not None:
                return list(records)[:RECORDS_MOST]
            alias = self._zone.get_rdataset(owner, "CNAME")
            if alias is None:
                return []
            owner = alias[0].target
        raise ResolveFailed(f"{name} is an alias without end")

    def _load(self) -> "Zone":
        import dns.exception
        import dns.zone

        try:
            return dns.zone.from_text(self._path.read_text(), origin=".", relativize=False, check_origin=False)
        except (OSError, UnicodeDecodeError, dns.exception.DNSException) as error:
            raise ResolveFailed(f"{self._path}: {error}") from error


def resolver(settings: Settings) -> DnsResolver | ZoneResolver:
    """The one that the settings ask for."""
    if settings.dns_zone_file is not None:
        return ZoneResolver(settings.dns_zone_file)
    return DnsResolver(settings.dns_nameservers)
