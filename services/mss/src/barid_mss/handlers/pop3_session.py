"""The driver of one POP3 session (RFC 1939).

The maildrop is INBOX as it is at log-in; messages keep their numbers for the session, whatever others do meanwhile. No
lock is taken (RFC 1939 §4 asks for one): every message is named by its UID, deletion is a set of UIDs, and what another
session has deleted is just not there any more. So a user's second program isn't turned away, and a session that hangs
locks nobody out.
"""

import time
from dataclasses import dataclass

from barid_contracts.store import (
    EXPUNGE,
    MAILBOX_STATUS,
    VIEW,
    ExpungeRequest,
    MailboxName,
    ViewRequest,
)
from barid_protocols.pop3 import (
    Login,
    Maildrop,
    MessageStarted,
    Refused,
    ResponseCode,
    Retrieve,
    ServerConnection,
    ServerProfile,
    StartTls,
    State,
    Top,
    Update,
)
from barid_protocols.pop3.events import Event
from barid_runtime.bus.port import BusError
from barid_runtime.bus.typed import call
from barid_runtime.journal.port import BodyUnavailable, JournalError
from barid_runtime.logging import get_logger
from barid_runtime.networks import is_loopback

from ..policy import deadlines, patience
from ..ports import Door, Wire
from ..views.columns import uid_column
from ..views.summaries import MailboxKey
from .desk import Desk
from .driver import Driver
from .gate import LoginRefused, Refusal
from .message_bytes import MessageBytes

SIZES_AT_ONCE = 2_000
"""Messages of one question for sizes: 100 KB."""

_REFUSALS = {
    Refusal.CREDENTIALS: ("wrong user name or password", ResponseCode.AUTH),
    Refusal.BLOCKED: ("too many failed log-ins from your network; try later", ResponseCode.SYS_TEMP),
    Refusal.LOGIN_BLOCKED: ("too many failed log-ins of this account; try later", ResponseCode.SYS_TEMP),
    Refusal.UNAVAILABLE: ("log-in is not possible at the moment", ResponseCode.SYS_TEMP),
    Refusal.CROWDED: ("too many sessions of this account", ResponseCode.IN_USE),
}

log = get_logger("mss.pop3")


@dataclass(frozen=True, slots=True)
class _Messages:
    """The maildrop: UIDs by number."""

    key: MailboxKey
    uids: list[int]


class Pop3Session(Driver):
    """Implements ports.Conversation."""

    login_patience = patience.LOGIN
    idle_patience = patience.POP3_IDLE

    def __init__(self, desk: Desk, wire: Wire, door: Door) -> None:
        self.core = ServerConnection(
            ServerProfile(
                tls_active=door.implicit_tls,
                plaintext_allowed=desk.settings.allow_plaintext and is_loopback(wire.ip),
                greeting=f"{desk.settings.hostname} Barid POP3 is ready",
            )
        )
        super().__init__(desk, wire, door, self.core)
        self._messages: _Messages | None = None

    # Driver

    @property
    def busy(self) -> bool:
        return self.core.waiting

    async def pump(self) -> None:
        core = self.core
        while (event := core.next_event()) is not None:
            if self.wire.clogged:
                await self.wire.drained()
            await self._answer(event)
            self.settle()
        self.wire.write(core.data_to_send())
        if core.closed:
            self.wire.close()

    def settle(self) -> None:
        if self.draining:
            self.end("the server is going down; come back")
        elif self.expelled:
            self.end(self.expelled)

    def end(self, text: str) -> None:
        if not self.core.closed:
            self.wire.write(self.core.close(text))
            self.wire.close()

    # within

    async def _answer(self, event: Event) -> None:
        if self.core.state is State.CLOSED:
            return
        outcome = "OK"
        began = time.perf_counter()
        try:
            match event:
                case Login():
                    self.wire.write(self.core.send(await self._log_in(event)))
                case StartTls():
                    self.wire.write(self.core.send())
                    if await self.wire.start_tls():
                        self.core.tls_established()
                case Retrieve() | Top():
                    await self._retrieve(event)
                case Update():
                    await self._delete(event)
                    self.wire.write(self.core.send())
        except ConnectionError:
            raise
        except Exception as error:
            outcome = "ERR"
            self._refuse(event, error)
        name = type(event).__name__.upper()
        self.desk.measures.command("pop3", name, outcome).inc()
        self.desk.measures.seconds("pop3", name).observe(time.perf_counter() - began)

    def _refuse(self, event: Event, error: Exception) -> None:
        if isinstance(error, Refused):
            refusal = error
        else:
            refusal = Refused("the mailbox is not available; try again later", ResponseCode.SYS_TEMP)
            if isinstance(error, BusError):
                log.warning("mailstore doesn't answer", error=repr(error))
            else:
                log.error("command failed", command=type(event).__name__, exc_info=error)
        if self.core.waiting and not self.core.closed:
            self.wire.write(self.core.send(refusal))

    async def _log_in(self, event: Login) -> Maildrop:
        credentials = event.credentials
        try:
            reply = await self.desk.gate.log_in(
                self, "pop3", self.wire.ip, credentials.authcid, credentials.password, credentials.authzid
            )
        except LoginRefused as refused:
            raise Refused(*_REFUSALS[refused.refusal]) from refused
        assert reply.account is not None
        try:
            return await self._open(reply.account)
        except BaseException:
            self.desk.gate.log_out(self, reply.account)
            raise

    async def _open(self, account: str) -> Maildrop:
        bus = self.desk.bus
        info = await call(bus, MAILBOX_STATUS, MailboxName(account=account, name="INBOX"))
        uids: list[int] = []
        while True:
            request = ViewRequest(account=account, mailbox=info.id, after_uid=uids[-1] if uids else 0)
            chunk = await call(bus, VIEW, request)
            uids += uid_column(chunk.uids)
            if not chunk.more or not chunk.uids:
                break
        key = MailboxKey(account, info.id, info.uidvalidity)
        sizes: dict[int, int] = {}
        for at in range(0, len(uids), SIZES_AT_ONCE):
            cards = await self.desk.summaries.get(key, uids[at : at + SIZES_AT_ONCE], ("size",))
            sizes.update((uid, card.size) for uid, card in cards.items())
        uids = [uid for uid in uids if uid in sizes]
        self._messages = _Messages(key, uids)
        self.account = account
        return Maildrop([sizes[uid] for uid in uids], [f"{info.uidvalidity}.{uid}" for uid in uids])

    async def _retrieve(self, event: Retrieve | Top) -> None:
        messages = self._messages
        assert messages is not None
        desk, core = self.desk, self.core
        uid = messages.uids[event.number - 1]
        card = (await desk.summaries.get(messages.key, (uid,), ("body",))).get(uid)
        if card is None:
            raise Refused("the message is gone")
        try:
            message = MessageBytes(desk.bodies, card)
            desk.unreadable.check(card.mail_id)
            # The first slice before the status line: what is broken from its beginning is refused in order.
            slices = message.stream(0, message.size)
            first = await anext(slices, b"")
        except JournalError as error:
            self._unreadable(card.mail_id, error)
            if isinstance(error, BodyUnavailable):
                raise Refused("the message can't be read now; try again later", ResponseCode.SYS_TEMP) from error
            raise Refused("the message can't be read", ResponseCode.SYS_PERM) from error
        self.wire.write(core.send(MessageStarted(message.size)))
        self.wire.write(core.send_chunk(first))
        try:
            async for octets in slices:
                if core.message_complete:
                    break
                self.wire.write(core.send_chunk(octets))
                await self.room()
        except JournalError as error:
            self._unreadable(card.mail_id, error)
            if not isinstance(error, BodyUnavailable):
                desk.unreadable.add(card.mail_id)
            self.wire.abort()
            raise ConnectionResetError from error
        self.wire.write(core.send_end())

    def _unreadable(self, mail_id: str, error: JournalError) -> None:
        log.error("message can't be read", mail_id=mail_id, account=self.account, error=repr(error))

    async def _delete(self, event: Update) -> None:
        messages = self._messages
        assert messages is not None
        uids = [messages.uids[number - 1] for number in event.deleted]
        request = ExpungeRequest(
            account=messages.key.account, mailbox=messages.key.mailbox, uids=uids, only_deleted=False
        )
        await call(self.desk.bus, EXPUNGE, request, timeout=deadlines.of_change(len(uids)))
