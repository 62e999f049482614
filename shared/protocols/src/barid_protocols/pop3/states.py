"""The states of RFC 1939 §3 and the commands of each: one table, in which absence is the error.

    AUTHORIZATION ── USER ──▶ NAMED ── PASS ──▶ TRANSACTION ── QUIT ──▶ UPDATE ──▶ CLOSED
         └────────────── AUTH ────────────────────▲
    AUTHORIZATION, NAMED ── QUIT ──▶ CLOSED

Invariants: a name counts for the very next command only; UPDATE is entered by QUIT alone; nothing leaves CLOSED.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class State(Enum):
    AUTHORIZATION = "authorization"
    NAMED = "named"  # USER was taken
    TRANSACTION = "transaction"
    UPDATE = "update"  # the host is deleting
    CLOSED = "closed"


_BEFORE_LOGIN = frozenset({b"CAPA", b"STLS", b"USER", b"AUTH", b"QUIT"})

ALLOWED: Mapping[State, frozenset[bytes]] = MappingProxyType(
    {
        State.AUTHORIZATION: _BEFORE_LOGIN,
        State.NAMED: _BEFORE_LOGIN | {b"PASS"},
        State.TRANSACTION: frozenset(
            {b"CAPA", b"STAT", b"LIST", b"UIDL", b"RETR", b"TOP", b"DELE", b"RSET", b"NOOP", b"QUIT"}
        ),
        State.UPDATE: frozenset(),
        State.CLOSED: frozenset(),
    }
)
