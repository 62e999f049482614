"""One connection's decisions, one method an event, each: look up → decide (policy) → remember → reply.

Most answers are at hand (a cached recipient) and given at once; an answer that must be awaited is a coroutine, and the
transport reads nothing until it is done.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from barid_contracts.mail import Obligation
from barid_protocols.smtp import (
    Address,
    Answer,
    Authenticate,
    DataAborted,
    DataChunk,
    DataEnd,
    DataStarted,
    Decision,
    MailFrom,
    Notice,
    Profile,
    RcptTo,
    Refused,
    Reply,
    Reset,
    ServerConnection,
)
from barid_protocols.smtp import Connected as ConnectedEvent
from barid_protocols.smtp.replies import AUTH_FAILED, RECIPIENT_OK
from barid_runtime.bus.port import BusError
from barid_runtime.ids import new_mail_id
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of, within

from ..policy import replies
from ..policy.addresses import key_of
from ..policy.recipients import Owed, judge
from ..policy.senders import owns
from ..ports import Later
from . import measures
from .acceptance import Envelope, accept, refuse, submission_edit
from .accounts import Submitter
from .desk import Desk
from .intake import Intake
from .recipients import Found

MAX_UNKNOWN = 100
"""Recipients refused as unknown in one connection: beyond it somebody reads out a dictionary."""

log = get_logger("smtp_ingress")


class SmtpConversation:
    """Implements ports.Conversation."""

    __slots__ = (
        "_accepted",
        "_account",
        "_core",
        "_counted",
        "_desk",
        "_first",
        "_intake",
        "_ip",
        "_limited",
        "_mail_id",
        "_network",
        "_owed",
        "_own",
        "_profile",
        "_reverse_path",
        "_smtputf8",
        "_submission",
        "_unknown",
        "refusal",
    )

    def __init__(self, desk: Desk, profile: Profile, ip: str, core: ServerConnection) -> None:
        self._desk = desk
        self._profile = profile
        self._submission = profile in (Profile.SUBMISSION, Profile.SUBMISSIONS)
        self._ip = ip
        self._core = core
        self._network = network_of(ip)
        self._limited = not within(ip, desk.settings.unlimited_networks)
        self._account: str | None = None
        self._own: frozenset[str] | None = None
        self._unknown = 0
        self._intake: Intake | None = None
        self._mail_id = ""
        self._forget()
        self.refusal = self._enter()
        self._counted = self.refusal is None
        if self._counted:
            measures.sessions[profile.value].inc()
            measures.open_connections.set(desk.connections.total)

    def _enter(self) -> Reply | None:
        if self._submission and self._limited and self._desk.accounts.blocked(self._ip):
            refusal: Reply | None = replies.NETWORK_WAITS
        else:
            refusal = self._desk.connections.enter(self._network, limited=self._limited)
        if refusal is not None:
            self._refuse(refusal, "connect")
        return refusal

    @property
    def received(self) -> int:
        return self._intake.received if self._intake is not None else 0

    def answer(self, question: Decision) -> Answer | Later | Awaitable[Answer]:
        method = self._ANSWERS.get(question.__class__)
        return None if method is None else method(self, question)

    def hear(self, notice: Notice) -> Awaitable[None] | None:
        kind = notice.__class__
        if kind is DataChunk:
            assert self._intake is not None
            return self._intake.take(notice.data)  # type: ignore[attr-defined]
        if kind is DataAborted:
            return self._abort(notice)  # type: ignore[arg-type]
        if kind is Reset:
            self._forget()
        elif kind is Refused:
            measures.refused(notice.reply.code)  # type: ignore[attr-defined]
            log.info("protocol error", ip=self._ip, reply=str(notice.reply), line=repr(notice.line))  # type: ignore[attr-defined]
        return None

    def closed(self) -> None:
        if self._counted:
            self._counted = False
            self._desk.connections.leave(self._network)
            measures.open_connections.set(self._desk.connections.total)

    async def discard(self) -> None:
        intake, self._intake = self._intake, None
        if intake is not None:
            await intake.discard()

    def _forget(self) -> None:
        self._reverse_path: Address | None = None
        self._smtputf8 = False
        self._owed = Owed()
        self._first: Address | None = None
        self._accepted = 0

    def _refuse(self, reply: Reply, step: str, **facts: Any) -> Reply:
        measures.refused(reply.code)
        log.info("refused", step=step, reply=str(reply), profile=self._profile.value, ip=self._ip, **facts)
        return reply

    # The decisions.

    def _connected(self, _: ConnectedEvent) -> Answer:
        return self.refusal

    async def _authenticate(self, question: Authenticate) -> Answer:
        answer = await self._desk.accounts.log_in(question.credentials, self._ip, limited=self._limited)
        if isinstance(answer, Reply):
            measures.refused(answer.code)
            return answer
        try:
            submitter = await self._desk.accounts.submitter(answer)
        except BusError:
            return self._refuse(replies.ACCOUNT_AWAY, "auth")
        if submitter is None:
            return AUTH_FAILED
        self._account = answer
        return None

    def _mail(self, question: MailFrom) -> Answer | Awaitable[Answer]:
        if self._submission:
            assert self._account is not None
            submitter = self._desk.accounts.at_hand(self._account)
            return self._submitted(question) if submitter is None else self._begin(question, submitter)
        return self._begin(question, None)

    async def _submitted(self, question: MailFrom) -> Answer:
        assert self._account is not None
        try:
            submitter = await self._desk.accounts.submitter(self._account)
        except BusError:
            return self._refuse(replies.ACCOUNT_AWAY, "mail")
        if submitter is None:
            return self._refuse(replies.ACCOUNT_DISABLED, "mail", submitter=self._account)
        return self._begin(question, submitter)

    def _begin(self, question: MailFrom, submitter: Submitter | None) -> Reply | None:
        reverse_path = question.reverse_path
        if submitter is not None:
            if not submitter.account.enabled:
                return self._refuse(replies.ACCOUNT_DISABLED, "mail", submitter=self._account)
            # The null path is anybody's: programs send receipts by it (RFC 8098 §3); the From field is still theirs.
            if reverse_path is not None and not owns(submitter.own, key_of(reverse_path)):
                return self._refuse(replies.NOT_YOUR_ADDRESS, "mail", submitter=self._account, sender=str(reverse_path))
            self._own = submitter.own
        self._forget()
        self._reverse_path = reverse_path
        self._smtputf8 = question.smtputf8
        return None

    def _rcpt(self, question: RcptTo) -> Answer | Awaitable[Answer]:
        recipients = question.recipients
        find = self._desk.recipients.find
        found: list[Found] = []
        for address in recipients:
            each = find(key_of(address))
            if each is None:
                return self._look_up(recipients)
            found.append(each)
        return self._take(recipients, found)

    async def _look_up(self, recipients: list[Address]) -> Answer:
        keys = [key_of(address) for address in recipients]
        return self._take(recipients, await self._desk.recipients.resolve(keys, [str(each) for each in recipients]))

    def _take(self, recipients: list[Address], found: list[Found] | list[Found | None]) -> Answer:
        settings = self._desk.settings
        may_relay = self._submission or (
            self._profile is Profile.MX and bool(settings.relay_networks) and within(self._ip, settings.relay_networks)
        )
        answers: list[Reply] = []
        for address, each in zip(recipients, found, strict=True):
            if each is None:
                refusal: Reply | None = replies.DIRECTORY_AWAY
            else:
                refusal = judge(
                    key_of(address),
                    each.status,
                    each.leads,
                    profile=self._profile,
                    may_relay=may_relay,
                    over_quota=self._desk.quota.is_over,
                )
                if refusal is None and not self._owed.room_for(each.leads):
                    refusal = replies.TOO_MANY_TARGETS
                if refusal is None:
                    self._owed.add(address, each.leads)
            if refusal is None:
                self._first = self._first or address
                self._accepted += 1
                answers.append(RECIPIENT_OK)
                continue
            if each is not None and each.status != "local":
                self._unknown += 1
                if self._unknown > MAX_UNKNOWN:
                    refusal = replies.TOO_MANY_UNKNOWN
            answers.append(refusal)
            self._refuse(refusal, "rcpt", sender=str(self._reverse_path or ""), recipient=str(address))
            if refusal is replies.TOO_MANY_UNKNOWN:
                break
        return answers

    def _data(self, _: DataStarted) -> Answer:
        refusal = self._throttle()
        if refusal is not None:
            return self._refuse(refusal, "data", submitter=self._account, recipients=self._accepted)
        self._mail_id = new_mail_id(self._desk.clock.now())
        edit = submission_edit(self._desk, self._mail_id) if self._submission else None
        self._intake = Intake(self._desk.journal, edit)
        return None

    def _throttle(self) -> Reply | None:
        if self._submission:
            assert self._account is not None
            return self._desk.throttle.submission(self._account, self._accepted)
        if self._limited and self._profile is Profile.MX:
            return self._desk.throttle.incoming(self._network)
        return None

    def _end(self, _: DataEnd) -> Answer | Later | Awaitable[Answer]:
        assert self._intake is not None
        intake, self._intake = self._intake, None
        return accept(self._desk, self._envelope(), self._core, intake, self._own)

    def _envelope(self) -> Envelope:
        assert self._first is not None
        obligations: list[Obligation] = self._owed.obligations
        return Envelope(
            self._mail_id,
            self._reverse_path,
            self._first,
            self._accepted,
            obligations,
            self._smtputf8,
            self._account,
            self._ip,
            self._profile.value,
        )

    async def _abort(self, notice: DataAborted) -> None:
        """The core refused the message. It is told to the log now, although the client hears it at its end."""
        refuse(self._envelope(), notice.reply)
        await self.discard()

    _ANSWERS: ClassVar[
        dict[type[Decision], Callable[["SmtpConversation", Any], Answer | Later | Awaitable[Answer]]]
    ] = {
        ConnectedEvent: _connected,
        Authenticate: _authenticate,
        MailFrom: _mail,
        RcptTo: _rcpt,
        DataStarted: _data,
        DataEnd: _end,
    }
