"""Accounts that the directory does not know any more.

States: *known*; *gone* since a time, with all that it has; then nothing is left of it but messages without a mailbox,
which the sweeper deletes. An account that comes back while it is gone (the directory was restored) is known again. Ids
are never reused, so whoever gets the same address later is another account, with nothing.
"""

from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from .index import Index
from .unit import Unit

MOST_LEAVING = 100
"""Of one answer; whoever deletes more asks again."""

_ITS_OWN = ("mailbox", "retired", "subscription", "script", "vacation")


class TableAccounts:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def page(self, after: str, limit: int) -> list[str]:
        return await self._index.read(
            lambda cursor: [
                row[0]
                for row in cursor.all("SELECT uuid FROM account WHERE uuid > ? ORDER BY uuid LIMIT ?", (after, limit))
            ]
        )

    async def set_gone(self, account: str) -> Commit[bool]:
        def work(unit: Unit) -> bool:
            owner = unit.find_account(account)
            if owner is None or owner.gone:
                return False
            unit.account_delta(owner)
            owner.quota, owner.gone = 0, True  # over no quota: nobody is refused on its account
            unit.cursor.execute("UPDATE account SET quota = 0, gone_at = ? WHERE id = ?", (int(unit.now), owner.id))
            return True

        return await self._index.write(work, [account])

    async def gone_before(self, at: float) -> list[str]:
        def work(cursor: Cursor) -> list[str]:
            rows = cursor.all(
                "SELECT uuid FROM account WHERE gone_at <= ? ORDER BY gone_at LIMIT ?", (int(at), MOST_LEAVING)
            )
            return [row[0] for row in rows]

        return await self._index.read(work, heavy=True)

    async def remove(self, account: str) -> Commit[bool]:
        """A few sets of rows, whatever the number of messages: these stay for the sweeper.

        Held mails and children on their way stay as well: they are obligations of their own.
        """

        def work(unit: Unit) -> bool:
            owner = unit.find_account(account)
            if owner is None or not owner.gone:
                return False
            for mailbox in owner.by_id.values():
                unit.delta(owner, mailbox).gone = True
            unit.account_delta(owner).names = True
            cursor = unit.cursor
            cursor.execute("INSERT INTO grave SELECT id FROM mailbox WHERE account = ?", (owner.id,))
            for table in _ITS_OWN:
                cursor.execute(f"DELETE FROM {table} WHERE account = ?", (owner.id,))  # noqa: S608
            cursor.execute("DELETE FROM account WHERE id = ?", (owner.id,))
            del unit.cache.accounts[account]
            unit.doomed = True
            return True

        return await self._index.write(work, [account])
