"""A system's first accounts and scripts, through the same operations as any later ones."""

import asyncio
import secrets
from collections.abc import Sequence

from barid_contracts.directory import ACCOUNT_LIST, Account, PageRequest
from barid_contracts.settle import SIEVE_PUT, ScriptPut
from barid_directory.handlers.bootstrap import bootstrap
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import call

from .folder import DataFolder, write_private

DEMO_DOMAIN = "example.test"
"""`.test` never leaves for the Internet (RFC 6761 §6.2)."""

DEMO_USERS = ("alice", "bob")
PAGE = 1_000
SCRIPT_NAME = "main"
SCRIPTS_AT_ONCE = 32

Logins = Sequence[tuple[str, str]]


async def provision(bus: Bus, folder: DataFolder, wanted: Logins, sieve: str) -> list[dict[str, str]]:
    """Make the accounts that don't exist yet, or on a first start without any two of a demo domain; what exists stays
    as it is. Returns logins and passwords of those wanted, else of the demo. Raises BusError."""
    known = await _accounts(bus)
    if wanted:
        accounts = [{"login": login, "password": password} for login, password in wanted]
    else:
        accounts = folder.accounts() if known else _demo(folder)
    missing = [(each["login"], each["password"]) for each in accounts if each["login"].lower() not in known]
    made = await bootstrap(bus, missing)
    if sieve:
        ids = {account.address: account.id for account in [*known.values(), *made]}
        logins = [login.lower() for login, _ in wanted]
        await _install(bus, [ids[login] for login in logins if login in ids], sieve)
    return accounts


def _demo(folder: DataFolder) -> list[dict[str, str]]:
    """Kept before they are made: a crash in between leaves passwords that the next start uses."""
    accounts = folder.accounts() or [
        {"login": f"{user}@{DEMO_DOMAIN}", "password": secrets.token_urlsafe(9)} for user in DEMO_USERS
    ]
    write_private(folder.accounts_file, {"accounts": accounts})
    return accounts


async def _accounts(bus: Bus) -> dict[str, Account]:
    found: dict[str, Account] = {}
    after: str | None = None
    while True:
        page = await call(bus, ACCOUNT_LIST, PageRequest(after=after, limit=PAGE))
        found.update((account.address, account) for account in page.accounts)
        if page.next is None:
            return found
        after = page.next


async def _install(bus: Bus, accounts: Sequence[str], text: str) -> None:
    room = asyncio.Semaphore(SCRIPTS_AT_ONCE)

    async def put(account: str) -> None:
        async with room:
            await call(bus, SIEVE_PUT, ScriptPut(account=account, name=SCRIPT_NAME, text=text))

    await asyncio.gather(*(put(account) for account in accounts))
