"""Quotas: the limit comes from the directory, the use is the sum of the mailboxes' sizes."""

from barid_contracts.store import QuotaReply
from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from .index import Index
from .unit import Unit


class TableQuotas:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def usage(self, account: str) -> QuotaReply:
        """Zeros for an account that was never touched."""

        def work(cursor: Cursor) -> QuotaReply:
            row = cursor.one(
                "SELECT CAST(coalesce(sum(m.size), 0) AS BIGINT), CAST(coalesce(sum(m.messages), 0) AS BIGINT),"
                " max(a.quota) FROM account a LEFT JOIN mailbox m ON m.account = a.id WHERE a.uuid = ?",
                (account,),
            )
            assert row is not None
            return QuotaReply(used=row[0], messages=row[1], limit=row[2] or 0)

        return await self._index.read(work)

    async def over(self) -> list[str]:
        """All accounts over their quota."""
        return await self._index.read(
            lambda cursor: [
                row[0]
                for row in cursor.all(
                    "SELECT a.uuid FROM account a JOIN mailbox m ON m.account = a.id"
                    " WHERE a.quota > 0 AND a.gone_at IS NULL"
                    " GROUP BY a.id HAVING sum(m.size) > a.quota ORDER BY a.uuid"
                )
            ],
            heavy=True,
        )

    async def set_limit(self, account: str, limit: int) -> Commit[None]:
        """0: none. An account that was never touched will ask when it is."""

        def work(unit: Unit) -> None:
            owner = unit.find_account(account)
            if owner is None or (owner.quota == limit and not owner.gone):
                return
            unit.account_delta(owner)
            owner.quota, owner.gone = limit, False
            unit.cursor.execute("UPDATE account SET quota = ?, gone_at = NULL WHERE id = ?", (limit, owner.id))

        return await self._index.write(work, [account])
