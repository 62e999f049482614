"""One unit of work: the rows it reads and changes, and what its commit will tell.

Counters of mailboxes are changed in memory and written once, by `finish`. Who guards the rows in memory against others
is what the two kinds of units differ in: `owned.py` for the one owner of a file, `shared.py` for replicas.

Invariant: `dirty` is set before a row is changed, here or in the database. A unit that raises while it is clean has
left nothing to undo.
"""

import json
from typing import ClassVar

from barid_runtime.database.port import Cursor, Row

from ...policy.names import USUAL, known_name
from ...ports.commits import AccountDelta, MailboxDelta
from ...ports.errors import NotFound
from .cache import Cache
from .rows import AccountRow, MailboxRow

MAILBOX_COLUMNS = (
    "id, account, name, uidvalidity, uidnext, modseq, messages, unseen, deleted, size, special_use, selectable,"
    " keywords"
)
_INSERT_MAILBOXES = (
    "INSERT INTO mailbox (account, name, uidvalidity, uidnext, modseq, messages, unseen, deleted, size, special_use,"
    " selectable, keywords) VALUES (?, ?, ?, 1, 1, 0, 0, 0, 0, ?, ?, '[]')"
)
_INSERT_SUBSCRIPTION = "INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING"


def mailbox_of(values: Row) -> MailboxRow:
    """From MAILBOX_COLUMNS."""
    mailbox = MailboxRow(*values)
    mailbox.selectable = bool(values[11])
    mailbox.keywords = json.loads(values[12])
    return mailbox


class Overtaken(Exception):
    """Another replica did the same since the unit looked. Nothing of the unit counts; it is run again."""


class Unit:
    """owner: of all that its database holds, so what it remembers of mails in trouble is whole."""

    owner: ClassVar[bool]

    __slots__ = (
        "cache", "crossed", "cursor", "deltas", "dirty", "doomed", "now", "outbox", "strangers", "touched",
    )  # fmt: skip

    def __init__(self, cursor: Cursor, cache: Cache, now: float) -> None:
        self.cursor = cursor
        self.cache = cache
        self.now = now
        self.deltas: dict[str, AccountDelta] = {}
        self.touched: dict[int, MailboxRow] = {}
        self.strangers: list[str] = []
        self.crossed: dict[str, bool] = {}
        self.dirty = False
        self.outbox = False
        self.doomed = False

    # --- finding

    def find_account(self, uuid: str) -> AccountRow | None:
        """None: never touched."""
        raise NotImplementedError

    def account(self, uuid: str) -> AccountRow:
        """Made, with its usual mailboxes, at its first touch."""
        account = self.find_account(uuid) or self._create(uuid)
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

    def _create(self, uuid: str) -> AccountRow:
        self.dirty = True
        account = AccountRow(self._insert_account(uuid), uuid, None, {}, {}, "", 0, False, False, 0)
        self._create_usual(account)
        self.cache.put(account)
        return account

    def _insert_account(self, uuid: str) -> int:
        row = self.cursor.one("INSERT INTO account (uuid) VALUES (?) RETURNING id", (uuid,))
        assert row is not None
        return int(row[0])

    def _create_usual(self, account: AccountRow) -> None:
        for name, use in USUAL:
            self.create_mailbox(account, name, use)
        self.cursor.executemany(_INSERT_SUBSCRIPTION, [(account.id, name) for name, _ in USUAL])

    # --- changing

    def delta(self, account: AccountRow, mailbox: MailboxRow) -> MailboxDelta:
        """Begin to change the rows of a mailbox: its MODSEQ goes up by one, once a unit."""
        own = self.account_delta(account)
        delta = own.mailboxes.get(mailbox.id)
        if delta is None:
            delta = own.mailboxes[mailbox.id] = MailboxDelta(mailbox.id, mailbox.modseq, mailbox.modseq + 1)
            mailbox.modseq += 1
            self.touched[mailbox.id] = mailbox
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
        uidvalidity = self.take_uidvalidity(account)
        row = self.cursor.one(
            f"{_INSERT_MAILBOXES} RETURNING id", (account.id, name, uidvalidity, special_use, selectable)
        )
        assert row is not None
        mailbox = MailboxRow(row[0], account.id, name, uidvalidity, 1, 1, 0, 0, 0, 0, special_use, selectable, [])
        account.add(mailbox)
        return mailbox

    def take_uidvalidity(self, account: AccountRow) -> int:
        """Greater than any given before in the account, so a name that is made again never repeats one.

        It runs with the clock, so that even a database restored from an old copy does not repeat what clients saw.
        """
        self.dirty = True
        value = account.uidvalidity = max(account.uidvalidity + 1, int(self.now))
        return value

    def take_body(self) -> int:
        """An id that no body has had."""
        raise NotImplementedError

    def subscribe(self, account: AccountRow, name: str) -> None:
        self.dirty = True
        self.cursor.execute(_INSERT_SUBSCRIPTION, (account.id, name))

    def learn_keywords(self, delta: MailboxDelta, mailbox: MailboxRow, names: list[str]) -> None:
        mailbox.keywords = [*mailbox.keywords, *names]
        delta.keywords = mailbox.keywords
        self.cursor.execute("UPDATE mailbox SET keywords = ? WHERE id = ?", (json.dumps(mailbox.keywords), mailbox.id))

    def pack(self, name: str) -> int:
        """The number of a pack; it gets one with its first body."""
        known = self.cache.packs.get(name)
        if known is None:
            known = self._insert_pack(name)[0]
            self._learn_pack(name, known)
        return known

    def _insert_pack(self, name: str) -> Row:
        self.dirty = True
        insert = "INSERT INTO pack (name) VALUES (?) ON CONFLICT DO NOTHING RETURNING id"
        # Tried first, as a pack in a bucket is one batch, and nearly always new. Another replica may have been first;
        # it is seen by then.
        row = self.cursor.one(insert, (name,)) or self.cursor.one("SELECT id FROM pack WHERE name = ?", (name,))
        assert row is not None
        return row

    def _learn_pack(self, name: str, number: int) -> None:
        raise NotImplementedError

    # --- ending

    def note_crossings(self) -> None:
        """Accounts that went over their quota, or came back."""
        accounts = self.cache.accounts
        for uuid in self.deltas:
            account = accounts.get(uuid)
            if account is not None and (over := account.over_now()) != account.over:
                account.over = self.crossed[uuid] = over
