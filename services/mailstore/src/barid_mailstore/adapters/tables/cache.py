"""What is remembered of the database between units of work.

Invariant: what is in here and not marked as old equals the database as of the last statement that this process ran.
What could break that, and what guards it, is said by the two kinds of index: `owned.py` and `shared.py`.
"""

from collections import OrderedDict

from .rows import AccountRow

MOST_ACCOUNTS = 4096
"""About 3 KB each with the usual mailboxes: 12 MB."""

MOST_PACKS = 256


class Cache:
    """attempted, released: keys of mails in trouble, whole where there is one owner; unused among replicas."""

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

    def put(self, account: AccountRow) -> None:
        self.accounts[account.uuid] = account

    def put_pack(self, name: str, number: int) -> None:
        if len(self.packs) >= MOST_PACKS:
            self.packs.clear()
        self.packs[name] = number

    def trim(self) -> None:
        """Between units only: a unit holds on to what it got."""
        while len(self.accounts) > MOST_ACCOUNTS:
            self.accounts.popitem(last=False)
