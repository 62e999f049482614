"""What a run proposes. The host executes, in the order given; nothing has happened before that.

`line` is the script's line that proposed the action (0: the implicit keep); it is for traces and takes no part
in equality.
"""

import hashlib
from dataclasses import dataclass, field

from barid_protocols.sieve.limits import VACATION_DEFAULT_DAYS


@dataclass(frozen=True, slots=True)
class Keep:
    """File into the default mailbox."""

    flags: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FileInto:
    """File into `mailbox` (Unicode, as the script wrote it); make it first if `create` (RFC 5490 §3.2)."""

    mailbox: str
    flags: tuple[str, ...] = ()
    copy: bool = False
    create: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send on to `address` (a bare addr-spec), under the original envelope sender (RFC 5228 §4.2)."""

    address: str
    copy: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Discard:
    """Nothing keeps the message, by the script's will. Never beside Keep, FileInto or Redirect."""

    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Vacation:
    """Answer the sender (RFC 5230), if `refuse_reply` agrees and `key` was not answered within `days`.

    `reason` is text, or with `mime` a whole MIME entity (headers, empty line, body).
    """

    reason: str
    subject: str | None = None
    sender: str | None = None
    addresses: tuple[str, ...] = ()
    mime: bool = False
    days: int = VACATION_DEFAULT_DAYS
    handle: str | None = None
    line: int = field(default=0, compare=False)

    @property
    def key(self) -> str:
        """Names the response in the host's memory of who was answered (RFC 5230 §4.2): the handle, or else
        a digest of what distinguishes one response from another. At most 64 characters, ASCII."""
        if self.handle is not None:
            parts = ["handle", self.handle]
        else:
            parts = ["text", self.subject or "", self.sender or "", str(self.mime), self.reason]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


Action = Keep | FileInto | Redirect | Discard | Vacation


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a run: distinct actions in script order, the implicit keep (RFC 5228 §2.10.2) resolved.

    `implicit_keep` tells that the Keep among them was not written in the script; `spent` is the fuel used.
    """

    actions: tuple[Action, ...]
    implicit_keep: bool = False
    spent: int = 0


IMPLICIT_KEEP = Result((Keep(),), implicit_keep=True)
"""What the host carries out when there is no script, or when a run failed (RFC 5228 §2.10.6)."""
