"""How local obligations end: one idempotent operation, one transaction in the mailstore."""

from typing import Literal

from pydantic import Field

from .base import Empty, MailId, Message, Operation
from .mail import AcceptedBatch, Key


class Filing(Message):
    """A copy in one mailbox. flags: system flags with their backslash, and keywords. detail: the name is that of an
    address's detail, so a mailbox that differs in case alone will do if there is one only."""

    mailbox: str
    flags: list[str] = Field(default_factory=list)
    create: bool = False
    detail: bool = False


class Child(Message):
    """A mail that the settling makes: it goes to the outbox in the same transaction.

    mail_id: derived from the parent's key, so that a repeated run makes the same child. recipients: forward paths.
    body: `same` is the parent's bytes with `prefix` before them (a redirect); `own` is `content` alone.
    """

    mail_id: MailId
    kind: Literal["redirect", "vacation", "dsn"]
    reverse_path: str
    recipients: list[str]
    body: Literal["same", "own"]
    prefix: str = ""
    content: bytes = b""


class VacationMemory(Message):
    """`(account, handle, sender)` was answered; not again before `until` (epoch ms)."""

    handle: str
    sender: str
    until: int
    child: Child


class Settlement(Message):
    """The proposed end of one obligation.

    outcome: `redirected` is a redirect without a copy kept. script: the etag of the Sieve script that was run (`""` for
    none); a mailstore that knows a newer one answers `stale` and does nothing. reason: why it is held, bounced,
    redirected or discarded, for the trace.
    """

    mail_id: MailId
    n: int
    account: str
    outcome: Literal["filed", "discarded", "held", "bounced", "redirected"]
    delivered_to: str = ""
    filings: list[Filing] = Field(default_factory=list)
    children: list[Child] = Field(default_factory=list)
    vacation: VacationMemory | None = None
    script: str = ""
    reason: str = ""
    rules: list[str] = Field(default_factory=list)


class SettleRequest(Message):
    """accepted: the batch as it came from the bus, passed on byte for byte. settlements: one per obligation settled."""

    accepted: AcceptedBatch
    settlements: list[Settlement]


class Settled(Message):
    """status: `done` now, `repeated` (was done before, nothing changed), or `stale` (run the newer script)."""

    mail_id: MailId
    n: int
    status: Literal["done", "repeated", "stale"]


class SettleReply(Message):
    results: list[Settled]


SETTLE = Operation("mail.v1.mailstore.settle", SettleRequest, SettleReply)


class AttemptRequest(Message):
    """A handler failed on this obligation; count it durably."""

    keys: list[Key]
    error: str


class AttemptReply(Message):
    counts: list[int]


COUNT_ATTEMPT = Operation("mail.v1.mailstore.attempt", AttemptRequest, AttemptReply)


class MissingRequest(Message):
    keys: list[Key]


class MissingReply(Message):
    """Those of the asked keys whose outcome is not recorded (and, at the relay, that are not queued either)."""

    keys: list[Key]


MAILSTORE_MISSING = Operation("mail.v1.mailstore.missing", MissingRequest, MissingReply)
RELAY_MISSING = Operation("mail.v1.relay.missing", MissingRequest, MissingReply)


class ReferencesRequest(Message):
    """packs: names as in BodyRef.pack."""

    packs: list[str]


class ReferencesReply(Message):
    """Those of the asked packs that something unfinished still refers to: they may not be deleted."""

    packs: list[str]


RELAY_REFERENCES = Operation("mail.v1.relay.references", ReferencesRequest, ReferencesReply)


class ActiveScriptRequest(Message):
    account: str


class ActiveScriptReply(Message):
    """The account's active Sieve script, and its etag; both empty where it has none."""

    text: str = ""
    etag: str = ""


ACTIVE_SCRIPT = Operation("mail.v1.mailstore.sieve.active", ActiveScriptRequest, ActiveScriptReply)


class ScriptPut(Message):
    """Store a script under a name, and make it the active one if asked. Refused (`invalid`) if it doesn't compile."""

    account: str
    name: str
    text: str
    activate: bool = True


class ScriptName(Message):
    account: str
    name: str


class ScriptInfo(Message):
    name: str
    active: bool
    text: str = ""


class ScriptList(Message):
    scripts: list[ScriptInfo]


SIEVE_PUT = Operation("mail.v1.mailstore.sieve.put", ScriptPut, Empty)
SIEVE_LIST = Operation("mail.v1.mailstore.sieve.list", ActiveScriptRequest, ScriptList)
SIEVE_ACTIVATE = Operation("mail.v1.mailstore.sieve.activate", ScriptName, Empty)
"""Name `""` deactivates."""
SIEVE_DELETE = Operation("mail.v1.mailstore.sieve.delete", ScriptName, Empty)
