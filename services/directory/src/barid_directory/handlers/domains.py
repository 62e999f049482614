"""The domains that are ours."""

from barid_contracts.base import Empty
from barid_contracts.directory import DIRECTORY_CHANGED, DirectoryChanged, Domain, DomainList, DomainName
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import announce

from ..policy.addresses import canonical_domain, parse
from ..ports import DomainRow, Register, Store


def domain_name(text: str) -> str:
    """Canonical, or the operation fails."""
    name = canonical_domain(text)
    if name is None:
        raise OperationFailed("invalid", "that is not a domain name")
    return name


def address_of(text: str) -> str:
    """Canonical, or the operation fails."""
    address = parse(text)
    if address is None:
        raise OperationFailed("invalid", "that is not an address")
    return str(address)


class Domains:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def put(self, request: Domain) -> Empty:
        row = DomainRow(domain_name(request.name), address_of(request.catch_all) if request.catch_all else None)
        await self._store.change(lambda register: register.put_domain(row))
        await announce(self._bus, DIRECTORY_CHANGED, DirectoryChanged(everything=True))
        return Empty()

    async def all(self, _: Empty) -> DomainList:
        rows = await self._store.look(lambda book: book.domains())
        return DomainList(domains=[Domain(name=row.name, catch_all=row.catch_all) for row in rows])

    async def delete(self, request: DomainName) -> Empty:
        name = domain_name(request.name)

        def delete(register: Register) -> None:
            if register.domain_in_use(name):
                raise OperationFailed("conflict", f"{name} still has accounts or aliases")
            if not register.delete_domain(name):
                raise OperationFailed("not_found", f"there is no domain {name}")

        await self._store.change(delete)
        await announce(self._bus, DIRECTORY_CHANGED, DirectoryChanged(everything=True))
        return Empty()
