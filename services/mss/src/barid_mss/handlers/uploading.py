"""APPEND (RFC 3501 §6.3.11): the message streams to memory or a spool file, then to the journal, then to its mailbox.

Nothing of it exists for anybody until the mailstore has answered; a crash before that leaves a record that nothing
refers to, which goes with its pack.
"""

from typing import TYPE_CHECKING

from barid_contracts.mail import Accepted
from barid_contracts.store import APPEND, QUOTA, AccountRef, AppendReply, AppendRequest
from barid_protocols.imap import codes
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
from .storing import flag_names

if TYPE_CHECKING:
    from .imap_session import ImapSession

ASK_QUOTA_ABOVE = 64 * 1024
"""Octets of a message that is worth a question before it is sent in vain; smaller ones are refused after they came."""

_NO_MAILBOX = no("No such mailbox", codes.TRYCREATE)


class Upload:
    """One APPEND on its way in."""

    def __init__(self, session: "ImapSession", command: AppendStarted) -> None:
        assert session.account is not None
        self._desk = session.desk
        self._session = session
        self._account = session.account
        self._command = command
        self._chunks: list[bytes] = []
        self._spool: Spool | None = None
        self._scanner: SummaryScanner | None = None

    async def begin(self) -> None:
        """Returns if the message may come."""
        try:
            await self._desk.statuses.ask(self._account, self._command.mailbox)
        except OperationFailed as failure:
            if failure.code == "not_found":
                raise UserError(_NO_MAILBOX.text, _NO_MAILBOX.code) from failure
            raise
        size = self._command.size
        if size > ASK_QUOTA_ABOVE:
            quota = await call(self._desk.bus, QUOTA, AccountRef(account=self._account))
            if quota.limit and quota.used + size > quota.limit:
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

    async def finish(self) -> Completion:
        """The tagged end."""
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
        try:
            reply = await self._file(mail.model_copy(update={"ref": ref}), max(date, 0))
        except OperationFailed as failure:
            if failure.code == "not_found":
                return _NO_MAILBOX
            raise
        await self._show(reply)
        return ok("Appended", codes.appenduid(reply.uidvalidity, [reply.uid]))

    async def discard(self) -> None:
        """Let go of what has come. Harmless after `finish`."""
        self._chunks.clear()
        if self._spool is not None:
            await self._spool.discard()

    async def _file(self, mail: Accepted, date: int) -> AppendReply:
        window = deadlines.Window(self._desk.clock.now(), deadlines.of_change(1))
        request = AppendRequest(
            account=self._account,
            mailbox=self._command.mailbox,
            mail=mail,
            flags=flag_names(self._command.flags),
            date=date,
            not_after=window.not_after,
        )
        return await ask_until_known(self._desk.bus, self._desk.clock, APPEND, request, window)

    async def _show(self, reply: AppendReply) -> None:
        """Who has the target selected, here, sees the message before the tagged OK."""
        shelf = self._desk.shelf
        await shelf.catch_up(shelf.find(self._account, reply.mailbox_id), reply.modseq)
