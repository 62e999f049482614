"""Sieve scripts: at most one of an account is active; its etag is in the account's row in memory, for settling."""

import hashlib

from barid_contracts.settle import ActiveScriptReply, ScriptInfo
from barid_runtime.database.port import Cursor

from ...ports.commits import Commit
from ...ports.errors import Conflict, Invalid, NotFound
from .index import Index
from .mailboxes import ACCOUNT
from .rows import AccountRow
from .unit import Unit

MOST_SCRIPTS = 64
MOST_SCRIPT_BYTES = 256 * 1024


def _etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _activate(unit: Unit, account: AccountRow, name: str) -> None:
    unit.dirty = True
    unit.cursor.execute("UPDATE script SET active = (name = ?) WHERE account = ?", (name, account.id))
    row = unit.cursor.one("SELECT etag FROM script WHERE account = ? AND active", (account.id,))
    account.etag = row[0] if row is not None else ""


class TableScripts:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def active(self, account: str) -> ActiveScriptReply:
        def work(cursor: Cursor) -> ActiveScriptReply:
            row = cursor.one(
                f"SELECT text, etag FROM script WHERE account = {ACCOUNT} AND active",  # noqa: S608
                (account,),
            )
            return ActiveScriptReply(text=row[0], etag=row[1]) if row is not None else ActiveScriptReply()

        return await self._index.read(work)

    async def list_all(self, account: str) -> list[ScriptInfo]:
        def work(cursor: Cursor) -> list[ScriptInfo]:
            rows = cursor.all(
                f"SELECT name, active, text FROM script WHERE account = {ACCOUNT} ORDER BY name",  # noqa: S608
                (account,),
            )
            return [ScriptInfo(name=row[0], active=bool(row[1]), text=row[2]) for row in rows]

        return await self._index.read(work)

    async def put(self, account: str, name: str, text: str, *, activate: bool) -> Commit[None]:
        """The text has been compiled by the caller."""
        if not name or len(name) > 255:
            raise Invalid("A script needs a name of at most 255 characters")
        if "\0" in name + text:
            raise Invalid("A script holds no NUL")
        if len(text.encode()) > MOST_SCRIPT_BYTES:
            raise Invalid(f"Script is larger than {MOST_SCRIPT_BYTES} bytes")

        def work(unit: Unit) -> None:
            owner = unit.account(account)
            unit.dirty = True
            unit.cursor.execute(
                "INSERT INTO script VALUES (?, ?, ?, ?, FALSE) ON CONFLICT (account, name)"
                " DO UPDATE SET text = excluded.text, etag = excluded.etag",
                (owner.id, name, text, _etag(text)),
            )
            count = unit.cursor.one("SELECT count(*) FROM script WHERE account = ?", (owner.id,))
            if count is not None and count[0] > MOST_SCRIPTS:
                raise Invalid("Too many scripts")
            row = unit.cursor.one("SELECT active FROM script WHERE account = ? AND name = ?", (owner.id, name))
            if activate or (row is not None and row[0]):
                _activate(unit, owner, name)

        return await self._index.write(work, [account])

    async def activate(self, account: str, name: str) -> Commit[None]:
        def work(unit: Unit) -> None:
            owner = unit.account(account)
            if (
                name
                and unit.cursor.one("SELECT 1 FROM script WHERE account = ? AND name = ?", (owner.id, name)) is None
            ):
                raise NotFound("No such script")
            _activate(unit, owner, name)

        return await self._index.write(work, [account])

    async def delete(self, account: str, name: str) -> Commit[None]:
        def work(unit: Unit) -> None:
            owner = unit.account(account)
            row = unit.cursor.one("SELECT active FROM script WHERE account = ? AND name = ?", (owner.id, name))
            if row is None:
                raise NotFound("No such script")
            if row[0]:
                raise Conflict("The active script can't be deleted")
            unit.dirty = True
            unit.cursor.execute("DELETE FROM script WHERE account = ? AND name = ?", (owner.id, name))

        return await self._index.write(work, [account])
