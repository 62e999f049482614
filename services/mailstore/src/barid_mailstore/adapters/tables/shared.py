"""The index of replicas that share one PostgreSQL: each may be asked for anything, at any moment.

An account's row is its lock and its version. A transaction first locks the rows of all accounts that its units named,
in one order for all replicas, so they never wait for each other in a circle. Each row carries an `epoch`, which rises
with every change of the account; an account remembered at another epoch is read anew. So no replica owns an account,
nothing has to be handed over when one stops or dies, and one that was paused is fenced by its lost transaction.

Rejected: a lock and an epoch for a shard of accounts. A batch of fifty accounts would touch most of the shards, and
replicas would settle one after the other.

How units share a transaction. Those that wait at the same moment run one after the other in one, without savepoints
(two round trips each). A unit that refuses before it has changed anything has left nothing to undo. If one refuses
later, or fails, all of them are undone, and run again one by one: rare, and the others lose only time.

What is remembered is dropped for the accounts of each transaction that failed, and before each that is run again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar, cast

from barid_runtime.clock import Clock
from barid_runtime.database.port import Cursor, Database, DatabaseError, OutcomeUnknown, Row

from ...policy.names import USUAL
from ...ports.commits import Commit
from ...ports.errors import Refused
from .cache import Cache
from .index import commit_of
from .rows import AccountRow, MailboxRow
from .unit import MAILBOX_COLUMNS, Overtaken, Unit, mailbox_of

T = TypeVar("T")

MOST_UNITS = 64
MOST_LOCKED = 512
"""Of one transaction: bounds how long others wait for what it has locked, about 50 ms."""

TRIES = 5
"""Of a unit that another replica overtook: each time that other has done what this one was to do."""

BODY_NUMBERS = 1_000
"""Taken from the database's sequence at once. What a process leaves of them is lost: there are 2^63."""

_LOCK = (
    "SELECT uuid, id, epoch, quota, gone_at, uidvalidity FROM account WHERE uuid = ANY(?::text[])"
    " ORDER BY uuid FOR UPDATE"
)
_LOAD = (
    f"SELECT {', '.join(['m.' + name for name in MAILBOX_COLUMNS.split(', ')])}, s.etag FROM mailbox m"  # noqa: S608
    " LEFT JOIN script s ON s.account = m.account AND s.active WHERE m.account = ANY(?::bigint[])"
)
_FINISH = (
    "WITH changed AS (UPDATE account a SET epoch = v.epoch, uidvalidity = v.uidvalidity"
    " FROM unnest(?1::bigint[], ?2::bigint[], ?3::bigint[]) v (id, epoch, uidvalidity) WHERE a.id = v.id)"
    " UPDATE mailbox m SET uidnext = v.uidnext, modseq = v.modseq, messages = v.messages, unseen = v.unseen,"
    " deleted = v.deleted, size = v.size FROM unnest(?4::bigint[], ?5::bigint[], ?6::bigint[], ?7::bigint[],"
    " ?8::bigint[], ?9::bigint[], ?10::bigint[]) v (id, uidnext, modseq, messages, unseen, deleted, size)"
    " WHERE m.id = v.id"
)
_CREATE_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 1)"
_INSERT_USUAL = (
    "INSERT INTO mailbox (account, name, uidvalidity, uidnext, modseq, messages, unseen, deleted, size, special_use,"
    " selectable, keywords) SELECT ?::bigint, name, uidvalidity, 1, 1, 0, 0, 0, 0, special_use, TRUE, '[]'"
    " FROM unnest(?::text[], ?::bigint[], ?::text[]) v (name, uidvalidity, special_use) RETURNING id, name"
)
_SUBSCRIBE_USUAL = "INSERT INTO subscription (account, name) SELECT ?::bigint, unnest(?::text[]) ON CONFLICT DO NOTHING"


class _BodyNumbers:
    """Numbers of bodies. They survive a transaction that is undone, as the sequence does."""

    __slots__ = ("_end", "_next")

    def __init__(self) -> None:
        self._next = self._end = 0

    def take(self, cursor: Cursor) -> int:
        if self._next == self._end:
            row = cursor.one("SELECT nextval('body_numbers')")
            assert row is not None
            self._next = row[0] * BODY_NUMBERS
            self._end = self._next + BODY_NUMBERS
        value = self._next
        self._next = value + 1
        return value


class SharedUnit(Unit):
    owner: ClassVar[bool] = False

    __slots__ = ("_accounts", "_bodies", "_packs")

    def __init__(
        self,
        cursor: Cursor,
        cache: Cache,
        now: float,
        accounts: frozenset[str],
        bodies: _BodyNumbers,
        packs: dict[str, int],
    ) -> None:
        """accounts: those that are locked. packs: learned in this transaction."""
        super().__init__(cursor, cache, now)
        self._accounts = accounts
        self._bodies = bodies
        self._packs = packs

    def find_account(self, uuid: str) -> AccountRow | None:
        assert uuid in self._accounts, "a unit names its accounts before it begins"
        return self.cache.accounts.get(uuid)

    def _insert_account(self, uuid: str) -> int:
        # Two replicas that make the same accounts in another order would wait for each other.
        self.cursor.execute(_CREATE_ONE_BY_ONE)
        row = self.cursor.one("INSERT INTO account (uuid) VALUES (?) ON CONFLICT DO NOTHING RETURNING id", (uuid,))
        if row is None:
            raise Overtaken
        return int(row[0])

    def _create_usual(self, account: AccountRow) -> None:
        self.account_delta(account).names = True
        numbers = {name: self.take_uidvalidity(account) for name, _ in USUAL}
        uses = dict(USUAL)
        names: Any = list(uses)
        arrays: Any = (account.id, names, list(numbers.values()), list(uses.values()))
        for number, name in self.cursor.all(_INSERT_USUAL, arrays):
            account.add(
                MailboxRow(number, account.id, name, numbers[name], 1, 1, 0, 0, 0, 0, uses[name], True, [])
            )  # fmt: skip
        self.cursor.execute(_SUBSCRIBE_USUAL, (account.id, names))

    def take_body(self) -> int:
        self.dirty = True
        return self._bodies.take(self.cursor)

    def pack(self, name: str) -> int:
        number = self._packs.get(name)
        return number if number is not None else super().pack(name)

    def _learn_pack(self, name: str, number: int) -> None:
        # Not for others before it is durable.
        self._packs[name] = number

    def changed_accounts(self) -> list[AccountRow]:
        """What a unit changed of an account is not told apart: all that it named are read anew by the others."""
        accounts = self.cache.accounts
        return [accounts[uuid] for uuid in self._accounts if uuid in accounts] if self.dirty else []


class _Order:
    """One `write` that waits."""

    __slots__ = ("accounts", "done", "work")

    def __init__(
        self, work: Callable[[Unit], Any], accounts: frozenset[str], done: asyncio.Future[Commit[Any]]
    ) -> None:
        self.work = work
        self.accounts = accounts
        self.done = done


class SharedIndex:
    """An Index. Use it from one event loop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache = Cache()
        self._bodies = _BodyNumbers()
        self._packs: dict[str, int] = {}
        self._waiting: deque[_Order] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._begun = False

    async def write(self, work: Callable[[Unit], T], accounts: Iterable[str] = ()) -> Commit[T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Commit[Any]] = loop.create_future()
        self._waiting.append(_Order(work, frozenset(accounts), done))
        if self._pump is None or self._pump.done():
            # Starts at the next turn of the loop, so units of this turn come into one transaction.
            self._pump = loop.create_task(self._run_pump(), name="mailstore-index")
        return cast("Commit[T]", await done)

    async def read(self, work: Callable[[Cursor], T], *, heavy: bool = False) -> T:
        return await self._database.read(work, heavy=heavy)

    # --- transactions, one after the other

    async def _run_pump(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                await self._commit(batch)
            except BaseException:
                # The loop is being torn down around us.
                self._fail(batch, OutcomeUnknown("cancelled: it may have been committed"))
                raise
            self._cache.trim()

    def _next_batch(self) -> list[_Order]:
        batch: list[_Order] = []
        locked: set[str] = set()
        while self._waiting and len(batch) < MOST_UNITS:
            order = self._waiting[0]
            if batch and len(locked | order.accounts) > MOST_LOCKED:
                break
            self._waiting.popleft()
            # Whoever was cancelled before it began need not happen.
            if not order.done.cancelled():
                batch.append(order)
                locked |= order.accounts
        return batch

    async def _commit(self, batch: list[_Order]) -> None:
        if not batch:
            return
        for _ in range(TRIES):
            self._begun = False
            try:
                outcomes = await self._database.write(lambda cursor: self._transact(cursor, batch))
            except Overtaken:
                self._drop(batch)
                continue
            except Exception as error:
                self._drop(batch)
                if len(batch) == 1 or isinstance(error, DatabaseError):
                    self._fail(batch, error)
                    return
                # What one does wrong is no fault of the others.
                for order in batch:
                    await self._commit([order])
                return
            for name, number in self._packs.items():
                self._cache.put_pack(name, number)
            self._packs.clear()
            for order, outcome in zip(batch, outcomes, strict=True):
                if order.done.done():
                    continue
                if isinstance(outcome, Refused):
                    order.done.set_exception(outcome)
                else:
                    order.done.set_result(outcome)
            return
        self._fail(batch, DatabaseError("other replicas were faster, again and again"))

    @staticmethod
    def _fail(batch: list[_Order], error: BaseException) -> None:
        for order in batch:
            if not order.done.done():
                order.done.set_exception(error)

    def _drop(self, batch: list[_Order]) -> None:
        for order in batch:
            for uuid in order.accounts:
                self._cache.accounts.pop(uuid, None)
        self._packs.clear()

    # --- inside of one

    def _transact(self, cursor: Cursor, batch: list[_Order]) -> list[Commit[Any] | Refused]:
        if self._begun:
            # Undone, and run again: what is remembered of these accounts never came to be.
            self._drop(batch)
        self._begun = True
        names = sorted({uuid for order in batch for uuid in order.accounts})
        if names:
            self._lock(cursor, names)
        now = self._clock.now()
        outcomes: list[Commit[Any] | Refused] = []
        units: list[SharedUnit] = []
        for order in batch:
            unit = SharedUnit(cursor, self._cache, now, order.accounts, self._bodies, self._packs)
            try:
                result = order.work(unit)
            except Refused as refused:
                if unit.dirty:
                    raise
                outcomes.append(refused)
                continue
            if unit.dirty:
                unit.note_crossings()
                units.append(unit)
            outcomes.append(commit_of(unit, result))
        self._finish(cursor, units)
        return outcomes

    def _lock(self, cursor: Cursor, names: list[str]) -> None:
        accounts = self._cache.accounts
        parameters: Any = (names,)
        rows = {row[0]: row for row in cursor.all(_LOCK, parameters)}
        old: list[Row] = []
        for uuid in names:
            row, known = rows.get(uuid), accounts.get(uuid)
            if row is None:
                accounts.pop(uuid, None)
            elif known is None or known.epoch != row[2] or known.id != row[1]:
                old.append(row)
        if old:
            self._load(cursor, old)

    def _load(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        accounts: dict[int, AccountRow] = {}
        for uuid, number, epoch, quota, gone_at, uidvalidity in rows:
            accounts[number] = AccountRow(
                number, uuid, quota, {}, {}, "", 0, False, gone_at is not None, uidvalidity, epoch
            )
        parameters: Any = (list(accounts),)
        for *values, etag in cursor.all(_LOAD, parameters):
            mailbox = mailbox_of(tuple(values))
            account = accounts[mailbox.account]
            account.add(mailbox)
            account.used += mailbox.size
            account.etag = etag or ""
        for account in accounts.values():
            account.over = account.over_now()
            self._cache.put(account)

    @staticmethod
    def _finish(cursor: Cursor, units: Sequence[SharedUnit]) -> None:
        """Write what was counted in memory, for all units at once."""
        accounts = {account.id: account for unit in units for account in unit.changed_accounts()}
        if not accounts:
            return
        for account in accounts.values():
            account.epoch += 1
        boxes = {number: box for unit in units for number, box in unit.touched.items()}.values()
        parameters: Any = (
            list(accounts),
            [account.epoch for account in accounts.values()],
            [account.uidvalidity for account in accounts.values()],
            [box.id for box in boxes],
            [box.uidnext for box in boxes],
            [box.modseq for box in boxes],
            [box.messages for box in boxes],
            [box.unseen for box in boxes],
            [box.deleted for box in boxes],
            [box.size for box in boxes],
        )
        cursor.execute(_FINISH, parameters)
