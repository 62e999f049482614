"""A system's first domains and accounts, through the same operations as any later ones."""

import asyncio
from collections.abc import Iterable

from barid_contracts.base import Empty
from barid_contracts.directory import (
    ACCOUNT_CREATE,
    ACCOUNT_GET,
    DOMAIN_LIST,
    DOMAIN_PUT,
    Account,
    AccountCreate,
    AccountLookup,
    Domain,
)
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import call

from ..policy.addresses import canonical, canonical_domain

AT_ONCE = 8
"""Accounts in flight: enough to keep the hashing threads busy, few enough that none waits long behind the others."""

PATIENCE = 60.0
"""Seconds for one account: a first start often shares the machine with everything else that starts."""


async def bootstrap(bus: Bus, accounts: Iterable[tuple[str, str]], domains: Iterable[str] = ()) -> list[Account]:
    """Make the named domains and accounts (`login`, `password`) unless they exist; those that do stay as they are.

    Domains of the accounts are made as well. Passwords are taken as they are, short ones too: who writes such a list
    brings accounts along, or makes a test. Returns the accounts in the order given. Raises BusError;
    OperationFailed(`invalid`) names the first login that can't be one.
    """
    wanted = list(accounts)
    for login, _ in wanted:
        if canonical(login) is None:
            raise OperationFailed("invalid", f"{login!r} is not an address, so it can't be a login")
    names = dict.fromkeys([*domains, *(login.rpartition("@")[2] for login, _ in wanted)])
    known = {domain.name for domain in (await call(bus, DOMAIN_LIST, Empty())).domains}
    for name in names:
        if canonical_domain(name) not in known:
            await call(bus, DOMAIN_PUT, Domain(name=name))
    room = asyncio.Semaphore(AT_ONCE)

    async def make(login: str, password: str) -> Account:
        async with room:
            try:
                request = AccountCreate(address=login, password=password, imported=True)
                return await call(bus, ACCOUNT_CREATE, request, timeout=PATIENCE)
            except OperationFailed as problem:
                if problem.code == "invalid":
                    raise OperationFailed("invalid", f"{login!r}: {problem.text}") from problem
                if problem.code != "conflict":
                    raise
            return await call(bus, ACCOUNT_GET, AccountLookup(address=login))

    return list(await asyncio.gather(*(make(login, password) for login, password in wanted)))
