"""When to try again, when to give up, and what to write down after an attempt."""

from dataclasses import dataclass

from ..ports.hosts import Answer, Fate
from ..ports.queue import Leased, Parcel, Result

CRASHES_MOST = 3
"""Attempts that ended in a fault of ours; then the mail waits for an operator."""

CRASH_PAUSE = 60.0
"""Seconds before a mail is tried again on which our code failed: long enough for what it met to have passed."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds. warn: 0 is never."""

    first: float
    most: float
    expire: float
    warn: float = 0.0

    def pause(self, attempts: int) -> float:
        """After so many attempts in vain: first, twice that, and so on up to the most."""
        return min(self.first * 2.0 ** min(attempts - 1, 30), self.most)

    def judge(self, parcel: Parcel, recipient: Leased, answer: Answer, now: int) -> Result:
        """now: epoch ms. What is deferred for too long is given back (RFC 5321 §4.5.4.1)."""
        if answer.fate is not Fate.DEFERRED:
            return Result(recipient, answer.fate, answer)
        age = (now - parcel.at) / 1000
        if age >= self.expire:
            return Result(recipient, Fate.BOUNCED, answer, expired=True)
        # The last attempt is at the very end of the time, not up to one pause after it.
        pause = min(self.pause(recipient.attempts + 1), max(self.expire - age, 1.0))
        warn = bool(self.warn) and age >= self.warn and not recipient.warned
        return Result(recipient, Fate.DEFERRED, answer, due=now + int(pause * 1000), warn=warn)

    def until(self, parcel: Parcel) -> int:
        """Epoch seconds up to which it is tried."""
        return int(parcel.at / 1000 + self.expire)

    def after_crash(self, recipient: Leased, error: str, now: int) -> Result:
        answer = Answer(Fate.DEFERRED, "4.3.0", reason=error)
        if recipient.crashes + 1 >= CRASHES_MOST:
            return Result(recipient, Fate.HELD, answer, crash=True)
        return Result(recipient, Fate.DEFERRED, answer, due=now + int(CRASH_PAUSE * 1000), crash=True)
