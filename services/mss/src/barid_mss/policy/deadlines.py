"""How long a client is kept waiting for those behind us, before it is told NO [UNAVAILABLE] (RFC 5530 §3).

A backend that works answers in milliseconds, or says by itself that it can't. These are for one that hangs: short
enough for a person who waits, long enough for a full batch behind a slow disk.
"""

from dataclasses import dataclass

from barid_runtime.bus.port import DEFAULT_DEADLINE

LOGIN = DEFAULT_DEADLINE
"""Seconds for the directory: it refuses by itself to queue hashes for longer than half of this."""

A_MESSAGE = 0.000_5
"""Seconds more for each message of a change: fifty times what the mailstore needs, for others are before us."""

LATE = 1.0
"""Seconds that we wait on for the answer to what may not be begun any more: it may have been begun just before."""


def of_change(messages: int) -> float:
    """Seconds for a change of so many messages."""
    return DEFAULT_DEADLINE + messages * A_MESSAGE


@dataclass(frozen=True, slots=True)
class Window:
    """For changes that must not happen once the client was told that they failed, for it would do them again: COPY and
    APPEND (RFC 3501 §6.4.7, §6.3.11: what fails leaves the mailbox as it was). now: epoch seconds."""

    now: float
    seconds: float

    @property
    def not_after(self) -> int:
        """Epoch milliseconds: when it may not be begun any more."""
        return int((self.now + self.seconds) * 1000)

    @property
    def timeout(self) -> float:
        """Seconds to wait for the answer."""
        return self.seconds + LATE
