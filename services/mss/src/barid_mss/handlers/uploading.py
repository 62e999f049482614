"""APPEND of one message or several (RFC 3501 §6.3.11, RFC 3502), REPLACE (RFC 8508): a message streams to memory or a
spool file, then to the journal; once the last is there, all go to their mailbox, in one transaction.

Nothing of them exists for anybody until the mailstore has answered; a crash before that leaves a record that nothing
refers to, which goes with its pack.
"""

from typing import TYPE_CHECKING

from barid_contracts.store import (
    APPEND,
    APPEND_ALL,
    QUOTA,
    AccountRef,
    AppendAllRequest,
    AppendItem,
    AppendReply,
    AppendRequest,
    Replaced,
)
from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.append import AppendStarted
from barid_protocols.imap.errors import UserError
from barid_protocols.imap.responses import Completion, no, ok
from barid_protocols.mime import Summary, SummaryScanner, summarize
from barid_runtime.bus.port import OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.describe import describe
from barid_runtime.journal.port import SPOOL_ABOVE, Spool

from ..policy import deadlines
from .asking import ask_until_known
from .problems import EXPUNGE_ISSUED
from .storing import flag_names, selected_for_change

if TYPE_CHECKING:
    from .imap_session import ImapSession

MOST_MESSAGES = 64
"""Of one command: what the index keeps of them travels in one request, 64 KiB each at most."""

ASK_QUOTA_ABOVE = 64 * 1024
"""Octets of a message that is worth a question before it is sent in vain; smaller ones are refused after they came."""

_NO_MAILBOX = no("No such mailbox", codes.TRYCREATE)


class Upload:
    """One APPEND or REPLACE on its way in."""

    def __init__(self, session: "ImapSession", command: AppendStarted) -> None:
        assert session.account is not None
        self._desk = session.desk
        self._session = session
        self._account = session.account
        self._command = command
        self._items: list[AppendItem] = []
        self._promised = 0
        self._old = self._uid_of(command)
        self._chunks: list[bytes] = []
        self._spool: Spool | None = None
        self._scanner: SummaryScanner | None = None

    @property
    def name(self) -> bytes:
        return self._command.name

    def _uid_of(self, command: AppendStarted) -> int | None:
        """Of the message that is to be replaced. Raises SyntaxProblem, UserError."""
        if command.replaces is None:
            return None
        selected = selected_for_change(self._session).selected
        found = selected.uids_of(selected.slices(command.replaces, uid=command.uid))
        if not found:
            raise UserError(EXPUNGE_ISSUED.text, EXPUNGE_ISSUED.code)
        return found[0]

    async def follow(self, command: AppendStarted) -> None:
        """The message before is whole; returns if the next may come."""
        if len(self._items) + 1 >= MOST_MESSAGES:
            raise UserError("Too many messages at once", codes.LIMIT)
        await self._journal()
        await self.discard()
        self._command = command
        self._chunks = []
        self._spool = self._scanner = None
        await self._make_room()

    async def begin(self) -> None:
        """Returns if the message may come."""
        try:
            await self._desk.statuses.ask(self._account, self._command.mailbox)
        except OperationFailed as failure:
            if failure.code == "not_found":
                raise UserError(_NO_MAILBOX.text, _NO_MAILBOX.code) from failure
            raise
        await self._make_room()

    async def _make_room(self) -> None:
        size = self._command.size
        self._promised += size
        if size > ASK_QUOTA_ABOVE:
            quota = await call(self._desk.bus, QUOTA, AccountRef(account=self._account))
            if quota.limit and self._old is None and quota.used + self._promised > quota.limit:
                raise UserError("Not enough room in the account", codes.OVERQUOTA)
        if size > SPOOL_ABOVE:
            self._spool = self._desk.journal.spool()
            self._scanner = SummaryScanner()

    async def add(self, chunk: bytes) -> None:
        if self._spool is None or self._scanner is None:
            self._chunks.append(chunk)
        else:
            self._scanner.feed(chunk)
            await self._spool.write(chunk)

    async def _journal(self) -> None:
        """What has come, durably."""
        command = self._command
        now = self._desk.clock.now()
        body: bytes | Spool
        summary: Summary
        if self._spool is None or self._scanner is None:
            body = b"".join(self._chunks)
            summary = summarize(body)
        else:
            body = self._spool
            summary = self._scanner.finish()
        mail = describe(
            summary,
            mail_id=new_mail_id(now),
            at=int(now * 1000),
            reverse_path="",
            submitter=self._account,
            origin="append",
        )
        ref = await self._desk.journal.append(mail, body)
        date = int(now) if command.internaldate is None else int(command.internaldate.timestamp())
        mail = mail.model_copy(update={"ref": ref})
        self._items.append(AppendItem(mail=mail, flags=flag_names(command.flags), date=max(date, 0)))

    async def finish(self) -> Completion:
        """The tagged end."""
        await self._journal()
        try:
            reply = await self._file()
        except OperationFailed as failure:
            if failure.code == "not_found":
                return _NO_MAILBOX
            if failure.code == "invalid" and self._old is not None:
                return EXPUNGE_ISSUED
            raise
        code = codes.appenduid(reply.uidvalidity, range(reply.uid, reply.uid + len(self._items)))
        if self._old is None:
            await self._show(reply)
            return ok("Appended", code)
        # Before the EXPUNGE, as COPYUID is told of a MOVE (RFC 8508 §3.3).
        self._session.write(responses.untagged_ok("Replaced", code))
        await self._show(reply)
        if self._session.selection is not None:
            await self._desk.shelf.catch_up(self._session.selection.view)
        return ok("Replaced")

    async def discard(self) -> None:
        """Let go of what has come. Harmless after `finish`."""
        self._chunks.clear()
        if self._spool is not None:
            await self._spool.discard()

    async def _file(self) -> AppendReply:
        bus, clock = self._desk.bus, self._desk.clock
        window = deadlines.Window(clock.now(), deadlines.of_change(len(self._items)))
        account, mailbox, not_after = self._account, self._command.mailbox, window.not_after
        if len(self._items) == 1 and self._old is None:
            (item,) = self._items
            one = AppendRequest(
                account=account, mailbox=mailbox, mail=item.mail, flags=item.flags, date=item.date, not_after=not_after
            )
            return await ask_until_known(bus, clock, APPEND, one, window)
        replaces: Replaced | None = None
        if self._old is not None:
            replaces = Replaced(mailbox=selected_for_change(self._session).view.id, uid=self._old)
        request = AppendAllRequest(
            account=account, mailbox=mailbox, items=self._items, replaces=replaces, not_after=not_after
        )
        return await ask_until_known(bus, clock, APPEND_ALL, request, window)

    async def _show(self, reply: AppendReply) -> None:
        """Who has the target selected, here, sees the message before the tagged OK."""
        shelf = self._desk.shelf
        await shelf.catch_up(shelf.find(self._account, reply.mailbox_id), reply.modseq)
