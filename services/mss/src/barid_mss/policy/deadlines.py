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

AGAIN = 2.0
"""Seconds without an answer to a keyed change until it is asked for again: whoever had it may have been killed, and
another answers what was done. A repeat costs the mailstore a look-up."""

SKEW = 1.0
"""Seconds by which clocks of two hosts may differ: what is late by ours is late by any mailstore's, that long after."""

UNKNOWN = 20.0
"""Seconds beyond its time in which we ask what became of a change, before we say that we don't know. A mailstore that
was killed is back within a few, one that stood still within ten; and a client waits for 30 at least."""


def of_change(messages: int) -> float:
    """Seconds for a change of so many messages."""
    return DEFAULT_DEADLINE + messages * A_MESSAGE


@dataclass(frozen=True, slots=True)
class Window:
    """For changes that must not stand there once the client was told that they failed, for it would do them again: COPY
    and APPEND (RFC 3501 §6.4.7, §6.3.11: what fails leaves the mailbox as it was). now: epoch seconds."""

    now: float
    seconds: float

    @property
    def not_after(self) -> int:
        """Epoch milliseconds: when it may not be begun any more."""
        return int((self.now + self.seconds) * 1000)

    def closed(self, now: float) -> bool:
        """No copy of the request can be begun any more, anywhere."""
        return now > self.now + self.seconds + SKEW

    def given_up(self, now: float) -> bool:
        """The client has waited long enough for the outcome."""
        return now > self.now + self.seconds + UNKNOWN

    @property
    def again(self) -> float:
        """Seconds to wait for one answer: what `seconds` allows for the size of the change comes on top."""
        return AGAIN + max(self.seconds - DEFAULT_DEADLINE, 0.0)
