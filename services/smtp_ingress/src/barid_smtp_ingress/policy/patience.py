"""How long a peer may take (RFC 5321 §4.5.3.2), decided by a sweep over all connections rather than a timer each."""

SWEEP = 5.0
"""Seconds between sweeps. A timer set anew at every read costs 2 µs of each; a sweep of 1,000 connections 1 ms."""

COMMAND = 300.0
"""Seconds for a whole command. Counted from our last reply, not the last octet, so a command can't be dribbled."""

DATA_IDLE = 600.0
"""Seconds without any octet of the message."""

DATA_GRACE = 120.0
"""Seconds in which the rate of a message is not looked at."""

DATA_RATE = 256
"""Octets a second that a message must average after that: a tenth of the slowest links in use, and 50 MB of nothing
would keep a connection for years."""

HANDSHAKE = 30.0
"""Seconds for a TLS handshake."""

CLOSE = 30.0
"""Seconds that a closing connection has to take its last reply."""

LINGER = 2.0
"""Seconds that we listen, deaf, to a peer that we have cut off, so that it can read why."""


def out_of_patience(*, in_data: bool, idle: float, since_answer: float, in_message: float, octets: int) -> bool:
    """idle: seconds without an octet; since_answer: since our last reply; in_message: since the message was first seen;
    octets: of it so far."""
    if not in_data:
        return since_answer > COMMAND
    if idle > DATA_IDLE:
        return True
    return in_message > DATA_GRACE and octets < DATA_RATE * in_message
