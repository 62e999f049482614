"""The index of a file's one owner.

Three things could make what is remembered differ from the file, and each has its guard: a unit that raised after it
had changed something makes it be forgotten; a transaction that failed as a whole is noticed by its successor, because
the epoch in the file is not the one in here; other writers do not exist.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar, TypeVar

from barid_runtime.clock import Clock
from barid_runtime.database.port import Cursor, Database, Row

from ...ports.commits import Commit
from .cache import Cache
from .index import commit_of
from .rows import AccountRow
from .unit import MAILBOX_COLUMNS, Unit, mailbox_of

T = TypeVar("T")

_STATE = "SELECT epoch, next_body FROM state"
_SELECT_MAILBOXES = f"SELECT {MAILBOX_COLUMNS} FROM mailbox WHERE account = ?"  # noqa: S608
_UPDATE_MAILBOX = (
    "UPDATE mailbox SET uidnext = ?, modseq = ?, messages = ?, unseen = ?, deleted = ?, size = ? WHERE id = ?"
)


def _first_state(cursor: Cursor) -> Row:
    """The schema's snapshot carries no rows, so the first unit ever makes this one."""
    cursor.execute("INSERT INTO state (id, epoch, next_body) VALUES (1, 0, 1)")
    return (0, 1)


def _reload(cache: Cache, cursor: Cursor, epoch: int) -> None:
    """Start anew at the file's epoch. Both sets are small: mails in trouble."""
    cache.clear()
    cache.attempted = {(mail_id, n) for mail_id, n in cursor.all("SELECT mail_id, n FROM attempt")}
    cache.released = {
        (mail_id, n) for mail_id, n in cursor.all("SELECT mail_id, n FROM held WHERE released IS NOT NULL")
    }
    cache.epoch = epoch


class OwnedUnit(Unit):
    owner: ClassVar[bool] = True

    __slots__ = ("next_body", "renumbered")

    def __init__(self, cursor: Cursor, cache: Cache, now: float) -> None:
        super().__init__(cursor, cache, now)
        row = cursor.one(_STATE) or _first_state(cursor)
        if row[0] != cache.epoch:
            _reload(cache, cursor, row[0])
        self.next_body: int = row[1]
        self.renumbered: dict[int, AccountRow] = {}

    def find_account(self, uuid: str) -> AccountRow | None:
        account = self.cache.accounts.get(uuid)
        return account if account is not None else self._load(uuid)

    def _load(self, uuid: str) -> AccountRow | None:
        row = self.cursor.one("SELECT id, quota, gone_at, uidvalidity FROM account WHERE uuid = ?", (uuid,))
        if row is None:
            return None
        account = AccountRow(row[0], uuid, row[1], {}, {}, "", 0, False, row[2] is not None, row[3])
        for values in self.cursor.all(_SELECT_MAILBOXES, (row[0],)):
            mailbox = mailbox_of(values)
            account.add(mailbox)
            account.used += mailbox.size
        etag = self.cursor.one("SELECT etag FROM script WHERE account = ? AND active", (row[0],))
        account.etag = etag[0] if etag is not None else ""
        account.over = account.over_now()
        self.cache.put(account)
        return account

    def take_body(self) -> int:
        self.dirty = True
        value = self.next_body
        self.next_body = value + 1
        return value

    def take_uidvalidity(self, account: AccountRow) -> int:
        self.renumbered[account.id] = account
        return super().take_uidvalidity(account)

    def _learn_pack(self, name: str, number: int) -> None:
        self.cache.put_pack(name, number)

    def finish(self) -> None:
        """Write what was counted in memory; a unit that changed nothing writes nothing."""
        if not self.dirty:
            return
        cursor = self.cursor
        if self.touched:
            cursor.executemany(
                _UPDATE_MAILBOX,
                [
                    (row.uidnext, row.modseq, row.messages, row.unseen, row.deleted, row.size, row.id)
                    for row in self.touched.values()
                ],
            )
        if self.renumbered:
            cursor.executemany(
                "UPDATE account SET uidvalidity = ? WHERE id = ?",
                [(account.uidvalidity, account.id) for account in self.renumbered.values()],
            )
        cursor.execute("UPDATE state SET epoch = ?, next_body = ?", (self.cache.epoch + 1, self.next_body))
        self.cache.epoch += 1
        self.note_crossings()


class OwnedIndex:
    """An Index."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache = Cache()

    async def write(self, work: Callable[[Unit], T], accounts: Iterable[str] = ()) -> Commit[T]:
        cache = self._cache

        def run(cursor: Cursor) -> Commit[T]:
            unit = None
            try:
                unit = OwnedUnit(cursor, cache, self._clock.now())
                result = work(unit)
                unit.finish()
            except BaseException:
                if unit is None or unit.dirty:
                    cache.clear()
                raise
            cache.trim()
            return commit_of(unit, result)

        return await self._database.write(run)

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        return await self._database.read(work, heavy=heavy)
