"""How long a peer may take, decided by a sweep over all connections rather than a timer each."""

SWEEP = 5.0
"""Seconds between sweeps. A timer set anew at every read costs 2 µs of each; a sweep of 1,000 connections 1 ms."""

LOGIN = 120.0
"""Seconds from the greeting to a log-in, whatever is sent meanwhile: a stranger's connection is not kept alive by
dribbling."""

IMAP_IDLE = 31 * 60.0
"""RFC 3501 §5.4 asks for 30 minutes at least. Clients in IDLE come back within 29 (RFC 2177 §3)."""

STILL_HERE = 2 * 60.0
"""Seconds of silence in IDLE after which we say something: home routers forget a connection after five minutes, and
else neither side would know."""

POP3_IDLE = 10 * 60.0
"""RFC 1939 §3 asks for 10 minutes at least."""

CLOGGED = 5 * 60.0
"""Seconds in which a peer that is owed output must take some of it."""

HANDSHAKE = 30.0
"""Seconds for a TLS handshake."""

CLOSING = 10.0
"""Seconds that a closing connection has to take its last words."""

HEARTBEAT = 60.0
"""Seconds between looks whether a view that somebody watches missed the last event: what a client in IDLE may wait for
a message whose event the bus dropped."""

RECHECK = 15 * 60.0
"""Seconds between looks whether those who are logged in still may be: what a lost event of the directory may cost. A
look is a question an account."""
