"""What somebody waits for."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from barid_contracts.queue import CapturedItem

_MAIL_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_DIGITS = {character: value for value, character in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


def accepted_at(mail_id: str) -> int:
    """Epoch ms in which the id was made."""
    value = 0
    for character in mail_id[:10]:
        value = value << 5 | _DIGITS[character]
    return value


@dataclass(frozen=True, slots=True)
class After:
    """Where to begin. at: epoch ms, inclusive. mail_id: beyond this one, in the order of ids; `""` for none."""

    at: int = 0
    mail_id: str = ""

    def admits(self, mail_id: str) -> bool:
        return accepted_at(mail_id) >= self.at and mail_id > self.mail_id

    @property
    def seconds(self) -> int:
        return (accepted_at(self.mail_id) if self.mail_id else self.at) // 1000

    @property
    def given(self) -> bool:
        return bool(self.at or self.mail_id)


def parse_after(text: str) -> After:
    """A mail id, a time as RFC 3339 says, or seconds since the epoch. Raises ValueError."""
    if not text:
        return After()
    if _MAIL_ID.fullmatch(text):
        return After(mail_id=text)
    if _SECONDS.fullmatch(text):
        return After(at=int(float(text) * 1000))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("give a mail id, an RFC 3339 time, or seconds since the epoch") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return After(at=max(0, int(moment.timestamp() * 1000)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Substrings, case folded; None: whatever. sender: of the reverse path (and, in mailboxes, the From field)."""

    subject: str | None = None
    sender: str | None = None
    message_id: str | None = None
    after: After = After()

    def matches(self, item: CapturedItem) -> bool:
        return (
            self.after.admits(item.mail_id)
            and _holds(self.subject, item.subject)
            and _holds(self.sender, item.reverse_path)
            and _holds(self.message_id, item.message_id)
        )


def _holds(part: str | None, whole: str) -> bool:
    return part is None or part.casefold() in whole.casefold()
