"""Whether a message is one that somebody waits for: substrings, case folded."""

from dataclasses import dataclass


def _holds(part: str | None, whole: str) -> bool:
    return part is None or part.casefold() in whole.casefold()


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: whatever."""

    subject: str | None
    sender: str | None
    message_id: str | None

    def matches(self, subject: str, sender: str, message_id: str) -> bool:
        return _holds(self.subject, subject) and _holds(self.sender, sender) and _holds(self.message_id, message_id)
