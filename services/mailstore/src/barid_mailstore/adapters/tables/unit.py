"""One unit of work: the rows it reads and changes, and what its commit will tell.

Counters of mailboxes are changed in memory and written once per unit and mailbox, by `finish`.
"""

import json

from barid_runtime.database.port import Cursor, Row

from ...policy.names import USUAL, known_name
from ...ports.commits import AccountDelta, MailboxDelta
from ...ports.errors import NotFound
from .cache import MOST_PACKS, Cache
from .rows import AccountRow, MailboxRow

_SELECT_MAILBOXES = (
    "SELECT id, account, name, uidvalidity, uidnext, modseq, messages, unseen, deleted, size, special_use, selectable,"
    " keywords FROM mailbox WHERE account = ?"
)
_INSERT_MAILBOX = (
    "INSERT INTO mailbox (account, name, uidvalidity, uidnext, modseq, messages, unseen, deleted, size, special_use,"
    " selectable, keywords) VALUES (?, ?, ?, 1, 1, 0, 0, 0, 0, ?, ?, '[]') RETURNING id"
)
_UPDATE_MAILBOX = (
    "UPDATE mailbox SET uidnext = ?, modseq = ?, messages = ?, unseen = ?, deleted = ?, size = ? WHERE id = ?"
)

_STATE = "SELECT epoch, next_body, next_uidvalidity FROM state"


def _first_state(cursor: Cursor) -> Row:
    """The schema's snapshot carries no rows, so the first unit ever makes this one."""
    cursor.execute("INSERT INTO state (id, epoch, next_body, next_uidvalidity) VALUES (1, 0, 1, 1)")
    return (0, 1, 1)


class Unit:
    __slots__ = (
        "_touched", "cache", "crossed", "cursor", "deltas", "dirty", "doomed", "next_body", "next_uidvalidity", "now",
        "outbox", "strangers",
    )  # fmt: skip

    def __init__(self, cursor: Cursor, cache: Cache, now: float) -> None:
        self.cursor = cursor
        self.cache = cache
        self.now = now
        self.deltas: dict[str, AccountDelta] = {}
        self._touched: dict[int, tuple[AccountRow, MailboxRow]] = {}
        self.strangers: list[str] = []
        self.crossed: dict[str, bool] = {}
        self.dirty = False
        self.outbox = False
        self.doomed = False
        row = cursor.one(_STATE) or _first_state(cursor)
        if row[0] != cache.epoch:
            cache.reload(cursor, row[0])
        self.next_body: int = row[1]
        self.next_uidvalidity: int = row[2]

    # --- finding

    def find_account(self, uuid: str) -> AccountRow | None:
        """None: never touched."""
        account = self.cache.accounts.get(uuid)
        return account if account is not None else self._load(uuid)

    def account(self, uuid: str) -> AccountRow:
        """Made, with its usual mailboxes, at its first touch."""
        account = self.cache.accounts.get(uuid) or self._load(uuid) or self._create(uuid)
        if account.quota is None:
            self.strangers.append(uuid)
        return account

    def mailbox(self, account: AccountRow, mailbox_id: int) -> MailboxRow:
        row = account.by_id.get(mailbox_id)
        if row is None or not row.selectable:
            raise NotFound("No such mailbox")
        return row

    def mailbox_named(self, account: AccountRow, name: str) -> MailboxRow:
        row = account.mailboxes.get(known_name(name))
        if row is None or not row.selectable:
            raise NotFound("No such mailbox")
        return row

    def _load(self, uuid: str) -> AccountRow | None:
        row = self.cursor.one("SELECT id, quota, gone_at FROM account WHERE uuid = ?", (uuid,))
        if row is None:
            return None
        account = AccountRow(row[0], uuid, row[1], {}, {}, "", 0, False, row[2] is not None)
        for values in self.cursor.all(_SELECT_MAILBOXES, (row[0],)):
            mailbox = MailboxRow(*values)
            mailbox.selectable = bool(values[11])
            mailbox.keywords = json.loads(values[12])
            account.add(mailbox)
            account.used += mailbox.size
        etag = self.cursor.one("SELECT etag FROM script WHERE account = ? AND active", (row[0],))
        account.etag = etag[0] if etag is not None else ""
        account.over = account.over_now()
        self.cache.put(account)
        return account

    def _create(self, uuid: str) -> AccountRow:
        self.dirty = True
        row = self.cursor.one("INSERT INTO account (uuid) VALUES (?) RETURNING id", (uuid,))
        assert row is not None
        account = AccountRow(row[0], uuid, None, {}, {}, "", 0, False)
        for name, use in USUAL:
            self.create_mailbox(account, name, use)
            self.subscribe(account, name)
        self.cache.put(account)
        return account

    # --- changing

    def delta(self, account: AccountRow, mailbox: MailboxRow) -> MailboxDelta:
        """Begin to change the rows of a mailbox: its MODSEQ goes up by one, once a unit."""
        own = self.account_delta(account)
        delta = own.mailboxes.get(mailbox.id)
        if delta is None:
            delta = own.mailboxes[mailbox.id] = MailboxDelta(mailbox.id, mailbox.modseq, mailbox.modseq + 1)
            mailbox.modseq += 1
            self._touched[mailbox.id] = (account, mailbox)
        return delta

    def account_delta(self, account: AccountRow) -> AccountDelta:
        self.dirty = True
        delta = self.deltas.get(account.uuid)
        if delta is None:
            delta = self.deltas[account.uuid] = AccountDelta(account.uuid)
        return delta

    def create_mailbox(
        self, account: AccountRow, name: str, special_use: str = "", *, selectable: bool = True
    ) -> MailboxRow:
        self.account_delta(account).names = True
        uidvalidity = self.take_uidvalidity()
        row = self.cursor.one(_INSERT_MAILBOX, (account.id, name, uidvalidity, special_use, selectable))
        assert row is not None
        mailbox = MailboxRow(row[0], account.id, name, uidvalidity, 1, 1, 0, 0, 0, 0, special_use, selectable, [])
        account.add(mailbox)
        return mailbox

    def take_uidvalidity(self) -> int:
        """Greater than any given before, in any mailbox, so a name that is made again never repeats one.

        It runs with the clock, so that even a database restored from an old copy does not repeat what clients saw.
        """
        value = max(self.next_uidvalidity, int(self.now))
        self.next_uidvalidity = value + 1
        self.dirty = True
        return value

    def take_body(self) -> int:
        value = self.next_body
        self.next_body = value + 1
        self.dirty = True
        return value

    def subscribe(self, account: AccountRow, name: str) -> None:
        self.cursor.execute("INSERT OR IGNORE INTO subscription (account, name) VALUES (?, ?)", (account.id, name))

    def learn_keywords(self, delta: MailboxDelta, mailbox: MailboxRow, names: list[str]) -> None:
        mailbox.keywords = [*mailbox.keywords, *names]
        delta.keywords = mailbox.keywords
        self.cursor.execute("UPDATE mailbox SET keywords = ? WHERE id = ?", (json.dumps(mailbox.keywords), mailbox.id))

    def pack(self, name: str) -> int:
        packs = self.cache.packs
        known = packs.get(name)
        if known is not None:
            return known
        row = self.cursor.one("SELECT id FROM pack WHERE name = ?", (name,))
        if row is None:
            self.dirty = True
            row = self.cursor.one("INSERT INTO pack (name) VALUES (?) RETURNING id", (name,))
            assert row is not None
        if len(packs) >= MOST_PACKS:
            packs.clear()
        packs[name] = row[0]
        found: int = row[0]
        return found

    # --- ending

    def finish(self) -> None:
        """Write what was counted in memory; a unit that changed nothing writes nothing."""
        if not self.dirty:
            return
        if self._touched:
            self.cursor.executemany(
                _UPDATE_MAILBOX,
                [
                    (row.uidnext, row.modseq, row.messages, row.unseen, row.deleted, row.size, row.id)
                    for _, row in self._touched.values()
                ],
            )
        self.cursor.execute(
            "UPDATE state SET epoch = ?, next_body = ?, next_uidvalidity = ?",
            (self.cache.epoch + 1, self.next_body, self.next_uidvalidity),
        )
        self.cache.epoch += 1
        accounts = self.cache.accounts
        for uuid in self.deltas:
            account = accounts.get(uuid)
            if account is not None and (over := account.over_now()) != account.over:
                account.over = self.crossed[uuid] = over
