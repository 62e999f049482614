"""Names of mails and of other things: 26 characters of Crockford's base 32, 48 bits of time in ms, then 80 more.

They sort by the time of their making, and within one process strictly by the order of it, unless its clock is set
back by more than STEP_BACK_MS: the reconciler reads a mail's age from its name, so a clock that was once far ahead
must not age all that comes. A child's name is a function of its parent's, so that a settling that is repeated after a
crash makes the same child.
"""

import hashlib
import os
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
"""Two characters for 10 bits: half the steps of one character for 5 (1.1 µs an id instead of 2)."""

_TIME_CHARACTERS = 10
_RANDOM_BITS = 80
_RANDOM_LIMIT = 1 << _RANDOM_BITS
_MAX_MS = (1 << 48) - 1

STEP_BACK_MS = 10_000
"""What time services correct by steps is less; what is more was a wrong clock."""


class _Monotonic:
    """The last id given. Ids of one millisecond count upwards from a random number; a clock that steps back a little
    waits in the last millisecond that was seen."""

    __slots__ = ("ms", "prefix", "tail")

    def __init__(self) -> None:
        self.ms = -1
        self.prefix = ""
        self.tail = 0

    def next(self, ms: int) -> str:
        if ms > self.ms or ms < self.ms - STEP_BACK_MS:
            self._enter(ms)
        else:
            self.tail += 1
            if self.tail == _RANDOM_LIMIT:
                self._enter(self.ms + 1)
        return self.prefix + _encode_tail(self.tail)

    def _enter(self, ms: int) -> None:
        self.ms = min(ms, _MAX_MS)
        self.prefix = _encode_time(self.ms)
        # The top bit is left clear, so that counting up within the millisecond does not run over.
        self.tail = int.from_bytes(os.urandom(10), "big") >> 1


def _encode_time(ms: int) -> str:
    pairs = _PAIRS
    return pairs[ms >> 40] + pairs[ms >> 30 & 1023] + pairs[ms >> 20 & 1023] + pairs[ms >> 10 & 1023] + pairs[ms & 1023]


def time_prefix(ms: int) -> str:
    """The first ten characters of the names of this time (epoch ms): names of earlier times sort before it."""
    return _encode_time(ms)


def _encode_tail(bits: int) -> str:
    pairs = _PAIRS
    high, low = bits >> 40, bits & 0xFF_FFFF_FFFF  # below 2**60 Python's integers are cheap
    return (
        f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        f"{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
    )


_state = _Monotonic()


def new_mail_id(now: float) -> str:
    """A name for a mail accepted at `now` (epoch seconds), greater than those given before (but see above)."""
    return _state.next(int(now * 1000))


def new_id() -> str:
    """A name for anything else: accounts, incarnations, tokens of one's own."""
    return _state.next(time.time_ns() // 1_000_000)


def child_id(parent: str, n: int, k: int) -> str:
    """The name of the `k`-th mail that settling obligation `n` of `parent` makes. It keeps the parent's time."""
    digest = hashlib.sha256(f"{parent} {n} {k}".encode()).digest()
    return parent[:_TIME_CHARACTERS] + _encode_tail(int.from_bytes(digest[:10], "big"))
