"""How many wrong passwords are too many, and how long whoever sent them waits.

Three things are counted for each failure, and any of them may have to wait:

    one login from one network    half of what a network may: one program with an old password does not shut out
                                  the office that it stands in
    one network                   an IPv4 address, an IPv6 /64
    the range around it           an IPv4 /24, an IPv6 /48: a guesser who rents a whole one

An account alone is never counted: else a stranger could lock its owner out.

A count leaks: whoever fails less than `most` times in WINDOW never waits. What overflows is a ban, and it begins anew;
each further ban lasts twice as long. While a ban lasts nothing is looked at, so nothing is counted.
"""

from collections.abc import Mapping

from ..ports import Subject, Tally

WINDOW = 600.0
"""Seconds in which a full count leaks away."""

BAN_FIRST = 600.0
"""Seconds: a user whose program has an old password is back within a coffee, and that program, which fails again, does
not fill its network's count: it leaks as fast."""

BAN_MOST = 4 * 3600.0
"""Seconds. A guesser who goes on gets some hundred tries a day; whoever has the address after him waits no longer."""

BANS_REMEMBERED = 24 * 3600.0
"""Seconds after its end that a ban makes the next one longer."""

RANGE_FACTOR = 5
"""A /24 may hold strangers to each other; five of them that guess at once are one guesser."""

DELAY_STEP = 0.5
DELAY_MOST = 4.0
"""Seconds that the answer to a failure waits: more with each that is counted, less than clients' patience."""

NOTHING = Tally()

Limits = Mapping[Subject, int]
"""What is counted, the network first, and how much of each is too much."""


def limits_of(network: str, around: str, login: str | None, most: int) -> Limits:
    """network, around: by name. login: canonical, None for what can be none. most: of a network."""
    limits = {Subject(network): most, Subject(around): most * RANGE_FACTOR}
    if login is not None:
        limits[Subject(network, login)] = max(2, (most + 1) // 2)  # a slip of the finger is nobody's guess
    return limits


def faded(tally: Tally, now: float, most: int) -> Tally:
    """As it is now. A clock that went back leaks nothing."""
    passed = max(0.0, now - tally.at)
    bans, until = (0, 0.0) if now >= tally.until + BANS_REMEMBERED else (tally.bans, tally.until)
    return Tally(max(0.0, tally.score - passed * most / WINDOW), max(now, tally.at), bans, until)


def failed(tally: Tally, now: float, most: int) -> Tally:
    """One failure more."""
    tally = faded(tally, now, most)
    score = tally.score + 1
    if score <= most - 1:  # what has leaked since the first of a burst must not let one more through
        return Tally(score, tally.at, tally.bans, tally.until)
    ban = min(BAN_FIRST * 2.0**tally.bans, BAN_MOST) if tally.bans < 32 else BAN_MOST
    return Tally(0.0, tally.at, tally.bans + 1, tally.at + ban)


def forgiven(tally: Tally, failures: float, now: float, most: int) -> Tally:
    """Without so many failures, which were their owner's after all. Bans stay."""
    tally = faded(tally, now, most)
    return Tally(max(0.0, tally.score - failures), tally.at, tally.bans, tally.until)


def waits(tally: Tally, now: float) -> float:
    """Seconds; 0 if it need not."""
    return max(0.0, tally.until - now)


def delay(tally: Tally, most: int) -> float:
    """Seconds that the answer to the failure waits that was counted last."""
    return min(DELAY_STEP * (tally.score or most), DELAY_MOST)


def worthless_at(tally: Tally) -> float:
    """From then on it is as if it had never been."""
    ends = tally.at + WINDOW
    return max(ends, tally.until + BANS_REMEMBERED) if tally.bans else ends
