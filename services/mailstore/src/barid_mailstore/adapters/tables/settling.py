"""Settling: the end of local obligations, all of a request in one unit of work.

Idempotent by the ledger's key. A request that was committed but whose answer was lost is asked again, and finds every
key there.
"""

import json
from collections.abc import Iterable
from typing import Any

from barid_contracts.mail import Accepted, AcceptedBatch
from barid_contracts.settle import Child, Filing, Settlement, SettleRequest
from barid_runtime.database.port import Cursor, Value

from ...policy.flags import DELETED, SEEN, mask_of
from ...policy.names import INBOX, known_name, new_name
from ...policy.trace_lines import delivery_prefix
from ...ports.commits import Commit
from ...ports.errors import Invalid
from .bodies import BODIES, LEDGER, MESSAGES, body_values
from .bulk import storable
from .held import PUT_HELD
from .index import Index
from .mailboxes import MOST_MAILBOXES, make_superiors
from .rows import AccountRow, MailboxRow
from .unit import Overtaken, Unit

_INSERT_OUTBOX = (
    'INSERT INTO outbox (mail_id, parent, kind, reverse_path, recipients, prefix, content, pack, "offset", head, size,'
    " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

_KNOWN = "SELECT mail_id, n, body FROM ledger WHERE mail_id IN (SELECT value FROM json_each(?))"
_KNOWN_AND_TROUBLE = (
    "SELECT 'known', mail_id, n, body FROM ledger WHERE mail_id = ANY(?1::text[])"
    " UNION ALL SELECT 'attempted', mail_id, n, NULL FROM attempt WHERE mail_id = ANY(?1::text[])"
    " UNION ALL SELECT 'released', mail_id, n, NULL FROM held WHERE mail_id = ANY(?1::text[]) AND released IS NOT NULL"
)
_BODIES_THERE = "SELECT id FROM body WHERE id = ANY(?::bigint[]) ORDER BY id FOR KEY SHARE"
"""And they stay until we are done (`bodies.sweep`)."""

_BY_SCRIPT = ("discarded", "redirected")
"""Ends that a script decided upon; a newer script may decide otherwise."""

_INBOX_ALONE = [INBOX]
"""What most filings come to; the ledger has no detail for it."""

_Rows = list[tuple[Value, ...]]


class _Settling:
    """One request under way: rows are gathered and inserted at the end, table by table."""

    __slots__ = (
        "attempted",
        "bodies",
        "body_rows",
        "known",
        "ledger_rows",
        "mails",
        "message_rows",
        "now_ms",
        "outbox_rows",
        "released",
        "unit",
    )

    def __init__(self, unit: Unit, accepted: AcceptedBatch) -> None:
        self.unit = unit
        self.mails: dict[str, Accepted] = {mail.mail_id: mail for mail in accepted.mails}
        self.now_ms = int(unit.now * 1000)
        self.body_rows: _Rows = []
        self.message_rows: _Rows = []
        self.ledger_rows: _Rows = []
        self.outbox_rows: _Rows = []
        # One question for the whole request: a look-up per settlement costs 3 µs each.
        self.known: set[tuple[str, int]] = set()
        self.bodies: dict[str, int] = {}
        # Of mails in trouble; nearly always empty.
        self.attempted: set[tuple[str, int]] = unit.cache.attempted
        self.released: set[tuple[str, int]] = unit.cache.released
        if unit.owner:
            self._look(unit.cursor)
        else:
            self._look_among_replicas(unit.cursor)

    def _look(self, cursor: Cursor) -> None:
        for mail_id, n, body in cursor.execute(_KNOWN, (json.dumps(list(self.mails)),)):
            self.known.add((mail_id, n))
            if body is not None:
                self.bodies[mail_id] = body
        for mail_id, body in list(self.bodies.items()):
            # An obligation of the same mail was settled by another request; its copy may be expunged since.
            row = cursor.one("SELECT 1 FROM body WHERE id = ? AND mail_id = ?", (body, mail_id))
            if row is None:
                del self.bodies[mail_id]

    def _look_among_replicas(self, cursor: Cursor) -> None:
        """The same in two questions at most, with what the owner of a file remembers.

        Two replicas that settle obligations of one mail at the same moment make a body each: a row more, no harm.
        """
        self.attempted, self.released = set(), set()
        sets = {"known": self.known, "attempted": self.attempted, "released": self.released}
        parameters: Any = (list(self.mails),)
        for what, mail_id, n, body in cursor.all(_KNOWN_AND_TROUBLE, parameters):
            sets[what].add((mail_id, n))
            if body is not None:
                self.bodies[mail_id] = body
        if self.bodies:
            parameters = (list(self.bodies.values()),)
            there = {row[0] for row in cursor.all(_BODIES_THERE, parameters)}
            self.bodies = {mail_id: body for mail_id, body in self.bodies.items() if body in there}

    def settle(self, settlement: Settlement) -> str:
        """Returns the status."""
        mail_id, n = settlement.mail_id, settlement.n
        key = (mail_id, n)
        if key in self.known:
            return "repeated"
        mail = self.mails.get(mail_id)
        if mail is None:
            raise Invalid("a settlement of a mail that is not in the request")
        unit = self.unit
        outcome = settlement.outcome
        account: AccountRow | None
        if outcome == "filed":
            account = unit.account(settlement.account)
            if settlement.script != account.etag:
                return "stale"
            body, names = self._file(account, mail, settlement)
        else:
            # No account is made for these: it may not exist any more.
            account = unit.find_account(settlement.account)
            if outcome in _BY_SCRIPT and account is not None and settlement.script != account.etag:
                return "stale"
            body, names = None, []
            if outcome == "held":
                self._hold(mail, settlement)
        self.known.add(key)
        children = settlement.children
        if settlement.vacation is not None and account is not None:
            children = [*children, *self._answer_once(account, settlement)]
        if children:
            self._send(mail, children)
        detail = None
        if names != _INBOX_ALONE or settlement.rules or settlement.reason or children or mail.parent:
            told: dict[str, object] = {
                "mailboxes": names,
                "rules": settlement.rules,
                "reason": settlement.reason,
                "children": [{"mail_id": c.mail_id, "kind": c.kind, "to": c.recipients} for c in children],
            }
            if mail.parent:
                # A child's id has its parent's time, so only here is its own.
                told |= {"parent": mail.parent, "accepted": mail.at}
            detail = json.dumps(told, ensure_ascii=False)
        self.ledger_rows.append(
            (
                mail_id,
                n,
                account.id if account is not None else None,
                outcome,
                self.now_ms,
                body,
                settlement.delivered_to,
                mail.reverse_path,
                mail.message_id,
                detail,
            )
        )
        self._forget_trouble(key)
        return "done"

    def _file(self, account: AccountRow, mail: Accepted, settlement: Settlement) -> tuple[int, list[str]]:
        """Copies in mailboxes. Returns the body, and the mailboxes' names."""
        unit = self.unit
        body = self.bodies.get(mail.mail_id)
        if body is None:
            body = self.bodies[mail.mail_id] = unit.take_body()
            self.body_rows.append(body_values(unit, body, mail))
        prefix = delivery_prefix(mail.reverse_path, settlement.delivered_to)
        size = len(prefix) + len(mail.trace) + mail.size
        date = mail.at // 1000
        names: list[str] = []
        for mailbox, flags in self._targets(account, settlement.filings).values():
            delta = unit.delta(account, mailbox)
            mask = 0
            if flags:
                mask, new = mask_of(flags, mailbox.keywords, learn=True)
                if new:
                    unit.learn_keywords(delta, mailbox, new)
            uid = mailbox.uidnext
            mailbox.uidnext = uid + 1
            mailbox.messages += 1
            if not mask & SEEN:
                mailbox.unseen += 1
            if mask & DELETED:
                mailbox.deleted += 1
            mailbox.size += size
            account.used += size
            delta.added.append(uid)
            delta.added_flags.append(mask)
            self.message_rows.append((mailbox.id, uid, body, mask, delta.modseq, date, size, prefix))
            names.append(mailbox.name)
        return body, names

    def _targets(self, account: AccountRow, filings: list[Filing]) -> dict[int, tuple[MailboxRow, list[str]]]:
        """Where copies go: one copy a mailbox (RFC 5228 §2.10.3), with the flags of all filings there."""
        if not filings:
            inbox = self._inbox(account)
            return {inbox.id: (inbox, [])}
        targets: dict[int, tuple[MailboxRow, list[str]]] = {}
        for filing in filings:
            mailbox = account.mailboxes.get(known_name(filing.mailbox))
            if mailbox is None and filing.detail:
                mailbox = _alike(account, filing.mailbox)
            if mailbox is None and filing.create:
                mailbox = self._create(account, filing.mailbox)
            if mailbox is None or not mailbox.selectable:
                # A message is never lost for want of its folder: the implicit keep (RFC 5228 §2.10.6).
                mailbox = self._inbox(account)
            held = targets.get(mailbox.id)
            targets[mailbox.id] = (mailbox, filing.flags if held is None else [*held[1], *filing.flags])
        return targets

    def _inbox(self, account: AccountRow) -> MailboxRow:
        return account.mailboxes.get(INBOX) or self.unit.create_mailbox(account, INBOX)

    def _create(self, account: AccountRow, name: str) -> MailboxRow | None:
        try:
            name = new_name(name)
        except Invalid:
            return None
        existing = account.mailboxes.get(name)
        if existing is not None:
            return existing
        if len(account.mailboxes) >= MOST_MAILBOXES:
            # Plus-addresses may be made up by anybody.
            return None
        make_superiors(self.unit, account, name)
        mailbox = self.unit.create_mailbox(account, name)
        self.unit.subscribe(account, name)
        return mailbox

    def _hold(self, mail: Accepted, settlement: Settlement) -> None:
        """Kept whole, so that a release can give it to delivery again whatever became of the bus."""
        own = mail.model_copy(update={"obligations": [o for o in mail.obligations if o.n == settlement.n]})
        attempts = self.unit.cursor.one(
            "SELECT count FROM attempt WHERE mail_id = ? AND n = ?", (mail.mail_id, settlement.n)
        )
        self.unit.dirty = True
        self.unit.cursor.execute(
            PUT_HELD,
            (
                mail.mail_id,
                settlement.n,
                settlement.account,
                storable(settlement.reason),
                self.now_ms,
                attempts[0] if attempts is not None else 0,
                mail.ref.pack if mail.ref is not None else "",
                own.model_dump_json(),
                None,
            ),
        )

    def _answer_once(self, account: AccountRow, settlement: Settlement) -> list[Child]:
        """The vacation's answer, unless this sender got one lately (RFC 5230 §4.2)."""
        memory = settlement.vacation
        assert memory is not None
        cursor = self.unit.cursor
        known = cursor.one(
            "SELECT until FROM vacation WHERE account = ? AND handle = ? AND sender = ?",
            (account.id, memory.handle, memory.sender),
        )
        if known is not None and known[0] > self.now_ms:
            return []
        self.unit.dirty = True
        cursor.execute("DELETE FROM vacation WHERE account = ? AND until <= ?", (account.id, self.now_ms))
        cursor.execute(
            "INSERT INTO vacation VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, handle, sender) DO UPDATE SET until = excluded.until",
            (account.id, memory.handle, memory.sender, memory.until),
        )
        return [memory.child]

    def _send(self, mail: Accepted, children: Iterable[Child]) -> None:
        ref = mail.ref
        for child in children:
            same = child.body == "same" and ref is not None
            self.outbox_rows.append(
                (
                    child.mail_id,
                    mail.mail_id,
                    child.kind,
                    child.reverse_path,
                    json.dumps(child.recipients),
                    child.prefix,
                    None if same else child.content,
                    ref.pack if same and ref is not None else None,
                    ref.offset if same and ref is not None else None,
                    ref.head if same and ref is not None else None,
                    ref.size if same and ref is not None else None,
                    self.now_ms,
                )
            )

    def _forget_trouble(self, key: tuple[str, int]) -> None:
        """Attempts and a held copy end with the outcome."""
        if key in self.attempted:
            self.unit.dirty = True
            self.attempted.discard(key)
            self.unit.cursor.execute("DELETE FROM attempt WHERE mail_id = ? AND n = ?", key)
        if key in self.released:
            self.unit.dirty = True
            self.released.discard(key)
            self.unit.cursor.execute("DELETE FROM held WHERE mail_id = ? AND n = ? AND released IS NOT NULL", key)

    def flush(self) -> None:
        cursor = self.unit.cursor
        if self.body_rows:
            BODIES.insert(cursor, self.body_rows)
        if self.message_rows:
            MESSAGES.insert(cursor, self.message_rows)
        if self.ledger_rows:
            self.unit.dirty = True
            if not LEDGER.insert(cursor, self.ledger_rows):
                # Of an account that was never made: nothing but this row keeps two replicas apart.
                raise Overtaken
        if self.outbox_rows:
            self.unit.outbox = True
            cursor.executemany(_INSERT_OUTBOX, self.outbox_rows)


def _alike(account: AccountRow, name: str) -> MailboxRow | None:
    """The one mailbox whose name differs from this in case alone; None if there are several, or none."""
    wanted = known_name(name).casefold()
    found = [mailbox for each, mailbox in account.mailboxes.items() if each.casefold() == wanted]
    return found[0] if len(found) == 1 else None


class TableSettling:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def settle(self, request: SettleRequest) -> Commit[list[str]]:
        """The status of each settlement, in order."""

        def work(unit: Unit) -> list[str]:
            settling = _Settling(unit, request.accepted)
            statuses = [settling.settle(settlement) for settlement in request.settlements]
            settling.flush()
            return statuses

        return await self._index.write(work, {settlement.account for settlement in request.settlements})
