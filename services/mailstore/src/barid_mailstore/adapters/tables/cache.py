"""What the sole writer remembers of the database between units of work.

Invariant: it equals the database as of the last statement that this process ran. Three things could break that, and
each has its guard: a unit that raised after it had changed something clears it; a transaction that failed as a whole
is noticed by its successor, because the epoch in the database is not the one in here; other writers do not exist.
"""

from collections import OrderedDict

from barid_runtime.database.port import Cursor

from .rows import AccountRow

MOST_ACCOUNTS = 4096
"""About 3 KB each with the usual mailboxes: 12 MB."""

MOST_PACKS = 256


class Cache:
    __slots__ = ("accounts", "attempted", "epoch", "packs", "released")

    def __init__(self) -> None:
        self.accounts: OrderedDict[str, AccountRow] = OrderedDict()
        self.packs: dict[str, int] = {}
        self.attempted: set[tuple[str, int]] = set()
        self.released: set[tuple[str, int]] = set()
        self.epoch = -1

    def clear(self) -> None:
        self.accounts.clear()
        self.packs.clear()
        self.epoch = -1

    def reload(self, cursor: Cursor, epoch: int) -> None:
        """Start anew at the database's epoch. Both sets are small: mails in trouble."""
        self.clear()
        self.attempted = {(mail_id, n) for mail_id, n in cursor.all("SELECT mail_id, n FROM attempt")}
        self.released = {
            (mail_id, n) for mail_id, n in cursor.all("SELECT mail_id, n FROM held WHERE released IS NOT NULL")
        }
        self.epoch = epoch

    def put(self, account: AccountRow) -> None:
        self.accounts[account.uuid] = account

    def trim(self) -> None:
        """Between units only: a unit holds on to what it got."""
        while len(self.accounts) > MOST_ACCOUNTS:
            self.accounts.popitem(last=False)
