"""Aliases: addresses that lead to others, here or elsewhere."""

from barid_contracts.base import Empty
from barid_contracts.directory import DIRECTORY_CHANGED, AddressName, Alias, AliasPage, DirectoryChanged, PageRequest
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import announce

from ..policy.addresses import canonical_domain, parse
from ..policy.ownership import affected
from ..policy.resolution import MAX_TARGETS, goes_in_circles, resolve
from ..ports import AliasRow, Book, Register, Store
from .accounts import page_limits, told
from .domains import address_of
from .removal import take_out


def target_of(text: str) -> str:
    """A target as it is kept: the local part as it was given, because elsewhere its case may matter."""
    address = parse(text)
    if address is None:
        raise OperationFailed("invalid", "a target is not an address")
    local, _, domain = text.rpartition("@")
    return f"{local}@{canonical_domain(domain)}"


class Aliases:
    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def put(self, request: Alias) -> Empty:
        address = address_of(request.address)
        targets = tuple(dict.fromkeys(target_of(target) for target in request.targets))
        if not 1 <= len(targets) <= MAX_TARGETS:
            raise OperationFailed("invalid", f"an alias has 1 to {MAX_TARGETS} targets")

        def put(register: Register) -> list[DirectoryChanged]:
            domain = address.rpartition("@")[2]
            if register.domain(domain) is None:
                raise OperationFailed("not_found", f"there is no domain {domain}")
            if register.account(address) is not None:
                raise OperationFailed("conflict", f"{address} is an account")
            before = accounts_behind(register, address)
            register.put_alias(AliasRow(address, targets))
            if goes_in_circles(register, address):
                raise OperationFailed("conflict", f"{address} would lead back to itself and to nobody else")
            return changes(register, address, before | accounts_behind(register, address))

        await self._tell(await self._store.change(put))
        return Empty()

    async def page(self, request: PageRequest) -> AliasPage:
        after, limit, domain = page_limits(request)
        rows = await self._store.look(lambda book: book.aliases(after, limit, domain))
        return AliasPage(
            aliases=[Alias(address=row.address, targets=list(row.targets)) for row in rows],
            next=rows[-1].address if len(rows) == limit else None,
        )

    async def delete(self, request: AddressName) -> Empty:
        address = address_of(request.address)

        def delete(register: Register) -> list[DirectoryChanged]:
            if register.alias(address) is None:
                raise OperationFailed("not_found", f"there is no alias {address}")
            before = accounts_behind(register, address)
            others = take_out(register, address, cascade=request.cascade)
            register.delete_alias(address)
            return [DirectoryChanged(everything=True)] if others else changes(register, address, before)

        await self._tell(await self._store.change(delete))
        return Empty()

    async def _tell(self, changes: list[DirectoryChanged]) -> None:
        for change in changes:
            await announce(self._bus, DIRECTORY_CHANGED, change)


MAX_TOLD = 100
"""Accounts whose own addresses are told anew after one change of an alias; beyond it, everything is to be forgotten."""


def accounts_behind(book: Book, address: str) -> set[str]:
    if book.alias(address) is None:
        return set()
    return {target.account for target in resolve(book, address).targets if target.account is not None}


def changes(book: Book, address: str, accounts: set[str]) -> list[DirectoryChanged]:
    """What to forget: the addresses that pass the alias, and the records of those accounts whose own it may be."""
    if len(accounts) > MAX_TOLD:
        return [DirectoryChanged(everything=True)]
    told_anew = []
    for account in sorted(accounts):
        row = book.account_by_id(account)
        if row is not None:
            told_anew.append(DirectoryChanged(account=account, record=told(book, row)))
    return [DirectoryChanged(addresses=affected(book, address)), *told_anew]
