"""Everything a server says (RFC 3501 §7) except FETCH data, as typed builders of bytes.

Untagged lines are plain ``bytes``, ready to send. The end of a command is a :class:`Completion`, since only the
connection knows the tag.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from barid_protocols.imap import codes, quoting, wire_names
from barid_protocols.imap.flags import ALL_SYSTEM, MAX_KEYWORDS, SYSTEM_FLAG_NAMES
from barid_protocols.imap.mailbox_names import SEPARATOR


class Status(Enum):
    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"


@dataclass(frozen=True, slots=True)
class Completion:
    """The tagged end of a command. ``code`` is the inside of a response code, see :mod:`.codes`."""

    status: Status
    text: str
    code: bytes = b""

    def line(self, tag: bytes) -> bytes:
        return b"%b %b" % (tag, _condition(self.status, self.text, self.code))


def ok(text: str, code: bytes = b"") -> Completion:
    return Completion(Status.OK, text, code)


def no(text: str, code: bytes = b"") -> Completion:
    return Completion(Status.NO, text, code)


def bad(text: str, code: bytes = b"") -> Completion:
    return Completion(Status.BAD, text, code)


def _condition(status: Status, text: str, code: bytes) -> bytes:
    if code:
        return b"%b [%b] %b\r\n" % (status.value, code, quoting.text(text))
    return b"%b %b\r\n" % (status.value, quoting.text(text))


# Conditions without a tag


def untagged_ok(text: str, code: bytes = b"") -> bytes:
    return b"* " + _condition(Status.OK, text, code)


def bye(text: str, code: bytes = b"") -> bytes:
    return b"* BYE " + (b"[%b] " % code if code else b"") + quoting.text(text) + b"\r\n"


def continuation(text: str = "Ready") -> bytes:
    return b"+ %b\r\n" % quoting.text(text)


def challenge(encoded: bytes) -> bytes:
    """``+ base64`` of a SASL exchange (RFC 3501 §6.2.2); the space stays when there is nothing to say."""
    return b"+ %b\r\n" % encoded


# The server itself


def capability(names: Iterable[bytes]) -> bytes:
    return b"* CAPABILITY %b\r\n" % b" ".join(names)


def enabled(names: Iterable[bytes]) -> bytes:
    """RFC 5161 §3.2; also sent when nothing new was enabled."""
    return b" ".join([b"* ENABLED", *names]) + b"\r\n"


def server_id(fields: Mapping[str, str] | None) -> bytes:
    """RFC 2971 §3.2; values are cut to the 1024 octets allowed there."""
    if not fields:
        return b"* ID NIL\r\n"
    words = []
    for name, value in fields.items():
        words.append(quoting.string(name.encode()[:30]))
        words.append(quoting.string(value.encode()[:1024]))
    return b"* ID (%b)\r\n" % b" ".join(words)


def namespace(personal: str = "", separator: str = SEPARATOR) -> bytes:
    """One personal namespace, no others (RFC 2342)."""
    return b"* NAMESPACE ((%b %b)) NIL NIL\r\n" % (
        quoting.string(personal.encode("ascii")),
        quoting.string(separator.encode("ascii")),
    )


# Mailboxes


class MailboxAttribute(Enum):
    """Attributes of LIST: RFC 3501 §7.2.2, RFC 5258 §3 (of which RFC 3348 is a part), RFC 6154 (special use)."""

    NOINFERIORS = rb"\Noinferiors"
    NOSELECT = rb"\Noselect"
    MARKED = rb"\Marked"
    UNMARKED = rb"\Unmarked"
    HAS_CHILDREN = rb"\HasChildren"
    HAS_NO_CHILDREN = rb"\HasNoChildren"
    NONEXISTENT = rb"\NonExistent"
    SUBSCRIBED = rb"\Subscribed"
    ALL = rb"\All"
    ARCHIVE = rb"\Archive"
    DRAFTS = rb"\Drafts"
    FLAGGED = rb"\Flagged"
    JUNK = rb"\Junk"
    SENT = rb"\Sent"
    TRASH = rb"\Trash"


SPECIAL_USE: dict[str, MailboxAttribute] = {
    attribute.value[1:].decode("ascii").lower(): attribute
    for attribute in (
        MailboxAttribute.ALL,
        MailboxAttribute.ARCHIVE,
        MailboxAttribute.DRAFTS,
        MailboxAttribute.FLAGGED,
        MailboxAttribute.JUNK,
        MailboxAttribute.SENT,
        MailboxAttribute.TRASH,
    )
}
"""By the lower-case name without backslash (``"sent"``), as storage may keep it."""


def mailbox_line(kind: bytes, name: str, attributes: Iterable[MailboxAttribute], *, utf8: bool = False) -> bytes:
    return b'* %b (%b) "/" %b\r\n' % (
        kind,
        b" ".join([attribute.value for attribute in attributes]),
        wire_names.encode(name, utf8=utf8),
    )


def list_line(
    name: str, attributes: Iterable[MailboxAttribute] = (), children: Sequence[bytes] = (), *, utf8: bool = False
) -> bytes:
    """``children``: the selection options that names below this one match (CHILDINFO, RFC 5258 §3.5)."""
    line = mailbox_line(b"LIST", name, attributes, utf8=utf8)
    if children:
        return b'%b ("CHILDINFO" (%b))\r\n' % (line[:-2], b" ".join([b'"%b"' % option for option in children]))
    return line


def lsub_line(name: str, attributes: Iterable[MailboxAttribute] = (), *, utf8: bool = False) -> bytes:
    return mailbox_line(b"LSUB", name, attributes, utf8=utf8)


def hierarchy_line() -> bytes:
    """The answer to ``LIST "" ""``: the separator and the root (RFC 3501 §6.3.8)."""
    return list_line("", (MailboxAttribute.NOSELECT,))


def status_line(name: str, values: Mapping[bytes, int | str], *, utf8: bool = False) -> bytes:
    """``values`` by item name, in the order they shall appear; a text is an object's id (RFC 8474 §4.3)."""
    pairs = b" ".join(
        [
            b"%b (%b)" % (item, value.encode("ascii")) if isinstance(value, str) else b"%b %d" % (item, value)
            for item, value in values.items()
        ]
    )
    return b"* STATUS %b (%b)\r\n" % (wire_names.encode(name, utf8=utf8), pairs)


# The selected mailbox


def closed() -> bytes:
    """The boundary between what is said of the mailbox that was selected and of the next one (RFC 7162 §3.2.11)."""
    return untagged_ok("Previous mailbox closed", codes.CLOSED)


def flags_line(keywords: Iterable[str] = ()) -> bytes:
    return b"* FLAGS (%b)\r\n" % b" ".join(_flag_names(keywords))


def exists(count: int) -> bytes:
    return b"* %d EXISTS\r\n" % count


def recent(count: int) -> bytes:
    return b"* %d RECENT\r\n" % count


def expunge(number: int) -> bytes:
    return b"* %d EXPUNGE\r\n" % number


def expunge_lines(numbers: Iterable[int]) -> bytes:
    return b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])


def search(numbers: array[int] | Sequence[int], modseq: int | None = None, word: bytes = b"SEARCH") -> bytes:
    """``modseq``: the highest of the messages found, where the search named MODSEQ and found any (RFC 7162 §3.1.5).

    ``word`` is SORT for the answer to that, whose numbers stand in its order (RFC 5256 §4).
    """
    if not numbers:
        return b"* %b\r\n" % word
    tail = b"" if modseq is None else b" (MODSEQ %d)" % modseq
    return b"* %b %b%b\r\n" % (word, " ".join(map(str, numbers)).encode("ascii"), tail)


def select_lines(
    *,
    count: int,
    recent_count: int | None,
    uidvalidity: int,
    uidnext: int,
    first_unseen: int | None,
    keywords: Iterable[str] = (),
    read_only: bool = False,
    highest_modseq: int | None = None,
    mailboxid: str = "",
) -> bytes:
    """All that SELECT and EXAMINE owe before the tagged OK [READ-WRITE] or [READ-ONLY] (RFC 3501 §6.3.1).

    ``recent_count`` and ``first_unseen`` are None for a client of IMAP4rev2, which has neither (RFC 9051 Appendix E).
    ``highest_modseq`` None stands for a mailbox without mod-sequences: [NOMODSEQ].
    """
    names = sorted(keywords)
    permanent = [] if read_only else [*_flag_names(names), *([rb"\*"] if len(names) < MAX_KEYWORDS else [])]
    lines = [flags_line(names), exists(count)]
    if recent_count is not None:
        lines.append(recent(recent_count))
    if first_unseen is not None:
        lines.append(untagged_ok("First unseen message", codes.unseen(first_unseen)))
    lines.append(untagged_ok("Flags that are kept", codes.permanentflags(permanent)))
    lines.append(untagged_ok("UIDs are valid", codes.uidvalidity(uidvalidity)))
    lines.append(untagged_ok("Predicted next UID", codes.uidnext(uidnext)))
    if highest_modseq is None:
        lines.append(untagged_ok("No mod-sequences here", codes.NOMODSEQ))
    else:
        lines.append(untagged_ok("Highest mod-sequence", codes.highestmodseq(highest_modseq)))
    if mailboxid:
        lines.append(untagged_ok("Its id", codes.mailboxid(mailboxid)))
    return b"".join(lines)


def _flag_names(keywords: Iterable[str]) -> list[bytes]:
    system = [name.encode("ascii") for bit, name in SYSTEM_FLAG_NAMES.items() if bit & ALL_SYSTEM]
    return system + [name.encode("ascii") for name in keywords]
