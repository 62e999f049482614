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


async def provision(bus: Bus, folder: DataFolder, wanted: Logins) -> list[dict[str, str]]:
    """Make the accounts that don't exist yet, or on a first start without any two of a demo domain; what exists stays
    as it is. Returns logins and passwords of those wanted, else of the demo. Asks the directory. Raises BusError."""
    known = await _accounts(bus)
    if wanted:
        accounts = [{"login": login, "password": password} for login, password in wanted]
    else:
        accounts = folder.accounts() if known else _demo(folder)
    await bootstrap(bus, [(each["login"], each["password"]) for each in accounts if each["login"].lower() not in known])
    return accounts


async def install(bus: Bus, logins: Sequence[str], text: str) -> None:
    """The script for these accounts. Asks directory and mailstore. Raises BusError."""
    known = await _accounts(bus)
    room = asyncio.Semaphore(SCRIPTS_AT_ONCE)

    async def put(account: Account) -> None:
        async with room:
            await call(bus, SIEVE_PUT, ScriptPut(account=account.id, name=SCRIPT_NAME, text=text))

    wanted = {login.lower() for login in logins}
    await asyncio.gather(*(put(account) for address, account in known.items() if address in wanted))


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
