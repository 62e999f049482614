"""Accounts, as operators manage them and as other services look them up."""

from collections.abc import Callable
from dataclasses import replace

from barid_contracts.base import Empty
from barid_contracts.directory import (
    DIRECTORY_CHANGED,
    Account,
    AccountCreate,
    AccountLookup,
    AccountPage,
    AccountUpdate,
    AddressName,
    DirectoryChanged,
    PageRequest,
)
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import announce
from barid_runtime.clock import Clock

from ..policy.addresses import canonical
from ..policy.ownership import affected, own_addresses
from ..policy.passwords import IMPOSSIBLE, complaint, credential_of, prepare
from ..ports import AccountRow, Book, HashingBusy, PasswordHasher, Register, Store
from .domains import address_of, domain_name
from .removal import take_out

MAX_PAGE = 1_000
"""Entries of a page, whatever was asked for."""


def told(book: Book, row: AccountRow) -> Account:
    """The account as others may see it."""
    return Account(
        id=row.id,
        address=row.address,
        quota=row.quota,
        enabled=row.enabled,
        addresses=own_addresses(book, row.id, row.address),
        credential=credential_of(row.password),
    )


def page_limits(request: PageRequest) -> tuple[str, int, str | None]:
    """after, limit, domain: within their bounds."""
    if request.limit < 1:
        raise OperationFailed("invalid", "a page has at least one entry")
    domain = domain_name(request.domain) if request.domain is not None else None
    return request.after or "", min(request.limit, MAX_PAGE), domain


class Accounts:
    def __init__(self, store: Store, hasher: PasswordHasher, bus: Bus, clock: Clock, new_id: Callable[[], str]) -> None:
        self._store = store
        self._hasher = hasher
        self._bus = bus
        self._clock = clock
        self._new_id = new_id

    async def create(self, request: AccountCreate) -> Account:
        address = address_of(request.address)
        if request.quota < 0:
            raise OperationFailed("invalid", "a quota is 0 (without limit) or more")
        # Looked up before hashing, so that a repeated import is cheap; what decides is the look inside the transaction.
        await self._store.look(lambda book: refuse_taken(book, address))
        hashed = await self._hash(request.password, None if request.imported else address)
        row = AccountRow(self._new_id(), address, request.quota, True, hashed)
        created = int(self._clock.now())

        def create(register: Register) -> tuple[Account, list[str]]:
            refuse_taken(register, address)
            register.insert_account(row, created)
            return told(register, row), affected(register, address)

        account, addresses = await self._store.change(create)
        await self._announce(account.id, account, addresses)
        return account

    async def update(self, request: AccountUpdate) -> Account:
        address = address_of(request.address)
        if request.quota is not None and request.quota < 0:
            raise OperationFailed("invalid", "a quota is 0 (without limit) or more")
        hashed = await self._hash(request.password, address) if request.password is not None else None

        def update(register: Register) -> Account:
            row = existing(register, address)
            row = replace(
                row,
                quota=row.quota if request.quota is None else request.quota,
                enabled=row.enabled if request.enabled is None else request.enabled,
                password=row.password if hashed is None else hashed,
            )
            register.update_account(row)
            return told(register, row)

        account = await self._store.change(update)
        await self._announce(account.id, account, [])
        return account

    async def delete(self, request: AddressName) -> Empty:
        address = address_of(request.address)

        def delete(register: Register) -> tuple[str, list[str], bool]:
            row = existing(register, address)
            addresses = affected(register, address)
            others = take_out(register, address, cascade=request.cascade)
            register.delete_account(row.id)
            return row.id, addresses, others

        account, addresses, others = await self._store.change(delete)
        await self._announce(account, None, addresses)
        if others:
            # What is left of an alias may now be another account's own.
            await announce(self._bus, DIRECTORY_CHANGED, DirectoryChanged(everything=True))
        return Empty()

    async def page(self, request: PageRequest) -> AccountPage:
        after, limit, domain = page_limits(request)

        def rows(book: Book) -> list[Account]:
            return [told(book, row) for row in book.accounts(after, limit, domain)]

        accounts = await self._store.look(rows)
        return AccountPage(accounts=accounts, next=accounts[-1].address if len(accounts) == limit else None)

    async def get(self, request: AccountLookup) -> Account:
        if (request.id is None) == (request.address is None):
            raise OperationFailed("invalid", "look up by id or by address, one of them")

        def get(book: Book) -> Account | None:
            if request.id is not None:
                row = book.account_by_id(request.id)
            else:
                address = canonical(request.address or "")
                row = book.account(address) if address is not None else None
            return None if row is None else told(book, row)

        account = await self._store.look(get)
        if account is None:
            raise OperationFailed("not_found", "there is no such account")
        return account

    async def _hash(self, password: str, login: str | None) -> str:
        """login: whose password is being chosen; None takes any that can be one."""
        wrong = complaint(password, login) if login is not None else None
        octets = prepare(password)
        if wrong is not None or octets is None:
            raise OperationFailed("invalid", wrong or IMPOSSIBLE)
        try:
            return await self._hasher.hash(octets)
        except HashingBusy as error:
            raise OperationFailed("unavailable", "too many passwords to hash at once") from error

    async def _announce(self, account: str, record: Account | None, addresses: list[str]) -> None:
        await announce(
            self._bus, DIRECTORY_CHANGED, DirectoryChanged(account=account, record=record, addresses=addresses)
        )


def refuse_taken(book: Book, address: str) -> None:
    """An address is an account or an alias, never both, and of one of our domains."""
    domain = address.rpartition("@")[2]
    if book.domain(domain) is None:
        raise OperationFailed("not_found", f"there is no domain {domain}")
    if book.account(address) is not None:
        raise OperationFailed("conflict", f"{address} is an account already")
    if book.alias(address) is not None:
        raise OperationFailed("conflict", f"{address} is an alias already")


def existing(book: Book, address: str) -> AccountRow:
    row = book.account(address)
    if row is None:
        raise OperationFailed("not_found", f"there is no account {address}")
    return row
