"""Command lines out of what arrives. One that is too long is thrown away as it comes, and told of once, at its end."""

from collections.abc import Callable
from enum import Enum

from barid_protocols.smtp.inbox import Inbox
from barid_protocols.smtp.options import MAX_SKIPPED


class TooLong(Enum):
    SKIPPED = "a line has come to its end"
    ENDLESS = "no end within MAX_SKIPPED: nobody will say a sensible thing after it"


class Lines:
    """``skipped``: octets thrown away of a line whose end has not come."""

    __slots__ = ("_inbox", "skipped")

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.skipped = 0

    def next(self, limit: Callable[[bytes], int]) -> bytes | TooLong | None:
        """A line with its LF, which may yet be too long; None if there is no whole one, and then all that waits is in
        the inbox's ``buffer``. ``limit`` tells from the beginning of a line how long it may get."""
        line = self._inbox.next_line()
        if line is not None:
            if not self.skipped and len(line) <= MAX_SKIPPED:
                return line
            length, self.skipped = self.skipped + len(line), 0
            return TooLong.SKIPPED if length <= MAX_SKIPPED else TooLong.ENDLESS
        part = self._inbox.buffer
        if not self.skipped and len(part) <= limit(part):
            return None
        self.skipped += len(part)
        self._inbox.clear()
        return None if self.skipped <= MAX_SKIPPED else TooLong.ENDLESS
