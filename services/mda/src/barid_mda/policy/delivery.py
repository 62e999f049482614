"""How one obligation ends. Asks for what is not at hand, decides, touches nothing.

In this order: an account that is gone bounces; a mail that was here before bounces (a loop); else the account's script
says, and where there is none, or it fails, the mail is kept: after accept, always file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from barid_contracts.directory import Account
from barid_contracts.mail import Obligation
from barid_contracts.settle import Child, VacationMemory
from barid_protocols.sieve import (
    Answer,
    Ask,
    Discard,
    FileInto,
    Keep,
    MailMessage,
    Redirect,
    Refusal,
    Result,
    SieveRuntimeError,
    Vacation,
)

from ..ports import Script
from .at_hand import MailAtHand
from .children import failure_notice, redirected, vacation_reply
from .proposal import Filing, Outcome, Proposal

MAX_HOPS = 100
"""Received fields beyond which a mail is going in circles (RFC 5321 §6.3: at least 100)."""

LOOP = "a loop, it has been here before: kept, script not run"

INBOX = "INBOX"

NO_ANSWERS: Mapping[Ask, Answer] = {}


@dataclass(frozen=True, slots=True)
class Site:
    """hostname: our name in notices. create_details: see settings."""

    hostname: str
    create_details: bool = False


def decide(
    at_hand: MailAtHand,
    obligation: Obligation,
    account: Account | None,
    script: Script,
    site: Site,
    now: float,
    answers: Mapping[Ask, Answer] = NO_ANSWERS,
) -> Proposal | Ask:
    """The end of one obligation of kind `account`, or a question; then call again with its answer added.

    account: None if it is gone. now: epoch seconds.
    """
    if account is None:
        return _bounced(at_hand, obligation, site, now, "5.1.1", "The mailbox does not exist any more")
    mail = at_hand.mail
    if mail.received_count > MAX_HOPS or at_hand.was_delivered_to(obligation.address):
        # RFC 5321 §6.3 asks that loops end, and this one does: kept, it goes no further. A notice would tell of failure
        # where a copy is read, and what a stranger wrote into the header would decide whom we write to. Loops through
        # other hosts are refused at the door, where whoever sends is still there to be told.
        return _kept(mail.mail_id, obligation, site, script.etag, (LOOP,))
    if script.program is None:
        rules = (f"kept: the script does not compile: {script.fault}",) if script.fault else ()
        return _kept(mail.mail_id, obligation, site, script.etag, rules)
    message = MailMessage(
        at_hand.headers, size=at_hand.size, envelope_from=mail.reverse_path, envelope_to=obligation.original
    )
    try:
        outcome = script.program.evaluate(message, answers)
    except SieveRuntimeError as error:
        return _kept_in_spite(mail.mail_id, obligation, site, script.etag, str(error))
    except Exception as error:
        # Our own mistake, and no reason to keep the owner waiting for their mail.
        return _kept_in_spite(mail.mail_id, obligation, site, script.etag, f"internal error ({type(error).__name__})")
    if not isinstance(outcome, Result):
        return outcome
    if len(outcome.actions) == 1 and outcome.implicit_keep and outcome.actions[0] == _PLAIN_KEEP:
        return _kept(mail.mail_id, obligation, site, script.etag, ())
    return _Execution(at_hand, obligation, account, script, site, now).carry_out(outcome)


_PLAIN_KEEP = Keep()


class _Execution:
    """Actions becoming filings and children, in the script's order."""

    def __init__(
        self, at_hand: MailAtHand, obligation: Obligation, account: Account, script: Script, site: Site, now: float
    ) -> None:
        self.at_hand = at_hand
        self.obligation = obligation
        self.account = account
        self.script = script
        self.site = site
        self.now = now
        self.own = list(dict.fromkeys([account.address, *account.addresses, obligation.address, obligation.original]))
        self.filings: dict[str, Filing] = {}
        self.children: list[Child] = []
        self.vacation: VacationMemory | None = None
        self.rules: list[str] = []

    def carry_out(self, result: Result) -> Proposal:
        for action in result.actions:
            if isinstance(action, Keep):
                self._keep(action.flags, "" if result.implicit_keep else f"line {action.line}: keep")
            elif isinstance(action, FileInto):
                self._file(Filing(action.mailbox, action.flags, action.create))
                self.rules.append(f"line {action.line}: fileinto {action.mailbox}")
            elif isinstance(action, Redirect):
                self._redirect(action)
            elif isinstance(action, Vacation):
                self._answer(action)
            elif isinstance(action, Discard):
                self.rules.append(f"line {action.line}: discard")
        mail_id, obligation = self.at_hand.mail.mail_id, self.obligation
        outcome: Outcome = "filed"
        reason = ""
        if not self.filings:
            to = [recipient for child in self.children for recipient in child.recipients]
            outcome = "redirected" if to else "discarded"
            reason = f"to {', '.join(to)}" if to else "discarded by the script"
        return Proposal(
            mail_id,
            obligation.n,
            self.account.id,
            outcome,
            obligation.address,
            filings=tuple(self.filings.values()),
            children=self.children,
            vacation=self.vacation,
            script=self.script.etag,
            reason=reason,
            rules=self.rules,
        )

    def _file(self, filing: Filing) -> None:
        """One copy a mailbox, with the flags of all (RFC 5228 §2.10.3)."""
        before = self.filings.get(filing.mailbox)
        if before is not None:
            flags = tuple(dict.fromkeys([*before.flags, *filing.flags]))
            filing = Filing(filing.mailbox, flags, before.create or filing.create)
        self.filings[filing.mailbox] = filing

    def _keep(self, flags: tuple[str, ...], rule: str) -> None:
        self._file(_default_filing(self.obligation, self.site, flags))
        if rule:
            self.rules.append(rule)

    def _redirect(self, action: Redirect) -> None:
        local, _, domain = action.address.lower().rpartition("@")
        plain = f"{local.partition('+')[0]}@{domain}"
        if any(address.lower() in (plain, f"{local}@{domain}") for address in self.own):
            # To oneself: the loop check would bounce it at the next round.
            self._keep((), f"line {action.line}: redirect to oneself, kept")
            return
        child = redirected(
            self.at_hand,
            self.obligation,
            action.address,
            k=len(self.children),
            hostname=self.site.hostname,
            now=self.now,
        )
        self.children.append(child)
        self.rules.append(f"line {action.line}: redirect {action.address}")

    def _answer(self, action: Vacation) -> None:
        reply = vacation_reply(
            self.at_hand,
            self.obligation,
            action,
            self.own,
            k=VACATION_CHILD,
            hostname=self.site.hostname,
            now=self.now,
        )
        if isinstance(reply, Refusal):
            self.rules.append(f"line {action.line}: no vacation reply: {reply.value}")
        elif self.vacation is None:
            self.vacation = reply
            self.rules.append(f"line {action.line}: vacation reply, unless answered before")


VACATION_CHILD = 1_000
"""The number of a vacation reply among an obligation's children: beyond any redirect's."""


def _default_filing(obligation: Obligation, site: Site, flags: tuple[str, ...] = ()) -> Filing:
    """Where keep keeps: the mailbox named by the address's detail, which the mailstore replaces by INBOX if there is
    none. People and their forms write addresses in any case (RFC 5233 §4 leaves it to us), so unlike fileinto's this
    name may differ in case alone."""
    if obligation.detail:
        return Filing(obligation.detail, flags, site.create_details, detail=True)
    return Filing(INBOX, flags)


def _kept(mail_id: str, obligation: Obligation, site: Site, etag: str, rules: tuple[str, ...]) -> Proposal:
    filings = (_default_filing(obligation, site),) if obligation.detail else ()
    return Proposal(
        mail_id,
        obligation.n,
        obligation.account or "",
        "filed",
        obligation.address,
        filings=filings,
        script=etag,
        rules=rules,
    )


def _kept_in_spite(mail_id: str, obligation: Obligation, site: Site, etag: str, fault: str) -> Proposal:
    """A failed run never loses a mail (RFC 5228 §2.10.6)."""
    kept = _kept(mail_id, obligation, site, etag, (f"kept: the script failed: {fault}",))
    return replace(kept, fault=fault)


def _bounced(at_hand: MailAtHand, obligation: Obligation, site: Site, now: float, status: str, reason: str) -> Proposal:
    mail = at_hand.mail
    children = []
    if mail.reverse_path:
        children.append(
            failure_notice(at_hand, obligation, status=status, reason=reason, hostname=site.hostname, now=now)
        )
    return Proposal(
        mail.mail_id,
        obligation.n,
        obligation.account or "",
        "bounced",
        obligation.address,
        children=children,
        reason=f"{status} {reason}",
    )


def held(mail_id: str, obligation: Obligation, reason: str) -> Proposal:
    """Left for the operator."""
    return Proposal(mail_id, obligation.n, obligation.account or "", "held", obligation.address, reason=reason)
