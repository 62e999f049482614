"""The states of RFC 3501 §3 and every command allowed in them: one table, in which absence is the error.

    NOT_AUTHENTICATED ── LOGIN, AUTHENTICATE ──▶ AUTHENTICATED ── SELECT, EXAMINE ──▶ SELECTED
                                                      ▲ ── CLOSE, UNSELECT, failed SELECT ── │
    AUTHENTICATED, SELECTED ── UNAUTHENTICATE ──▶ NOT_AUTHENTICATED (RFC 8437 §5)
    any state ── LOGOUT, BYE ──▶ LOGOUT

A transition happens when the tagged reply is written, never when the command arrives: a command in the pipeline behind
a SELECT is judged by the state that the SELECT left.
"""

from __future__ import annotations

from enum import Enum

from barid_protocols.imap.responses import Status


class State(Enum):
    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


_ANY = frozenset({b"CAPABILITY", b"NOOP", b"LOGOUT", b"ID"})

_AUTHENTICATED = _ANY | {
    b"ENABLE",  # RFC 5161 §3.1 leaves it to the client not to send this after SELECT
    b"SELECT",
    b"EXAMINE",
    b"CREATE",
    b"DELETE",
    b"RENAME",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"LIST",
    b"LSUB",
    b"STATUS",
    b"APPEND",
    b"NAMESPACE",
    b"IDLE",
    b"COMPRESS",
    b"UNAUTHENTICATE",
}

ALLOWED: dict[State, frozenset[bytes]] = {
    State.NOT_AUTHENTICATED: _ANY | {b"STARTTLS", b"AUTHENTICATE", b"LOGIN"},
    State.AUTHENTICATED: _AUTHENTICATED,
    State.SELECTED: _AUTHENTICATED
    | {
        b"CHECK",
        b"CLOSE",
        b"UNSELECT",
        b"EXPUNGE",
        b"SEARCH",
        b"SORT",
        b"THREAD",
        b"FETCH",
        b"STORE",
        b"COPY",
        b"MOVE",
        b"REPLACE",
        b"UID REPLACE",
        b"UID EXPUNGE",
        b"UID SEARCH",
        b"UID SORT",
        b"UID THREAD",
        b"UID FETCH",
        b"UID STORE",
        b"UID COPY",
        b"UID MOVE",
    },
    State.LOGOUT: frozenset(),
}

TRANSITIONS: dict[tuple[bytes, Status], State] = {
    (b"LOGIN", Status.OK): State.AUTHENTICATED,
    (b"AUTHENTICATE", Status.OK): State.AUTHENTICATED,
    (b"SELECT", Status.OK): State.SELECTED,
    (b"EXAMINE", Status.OK): State.SELECTED,
    # A SELECT that fails leaves no mailbox selected (§6.3.1); one that could not be parsed changes nothing.
    (b"SELECT", Status.NO): State.AUTHENTICATED,
    (b"EXAMINE", Status.NO): State.AUTHENTICATED,
    (b"CLOSE", Status.OK): State.AUTHENTICATED,
    (b"UNSELECT", Status.OK): State.AUTHENTICATED,
    (b"UNAUTHENTICATE", Status.OK): State.NOT_AUTHENTICATED,
    (b"LOGOUT", Status.OK): State.LOGOUT,
}

WITHOUT_EXPUNGE = frozenset({b"FETCH", b"STORE", b"SEARCH", b"SORT", b"THREAD"})
"""While these run no EXPUNGE may be sent (§7.4.1, RFC 5256 §3): message numbers would shift. The UID forms are not
among them."""


def refusal(state: State, command: bytes) -> str | None:
    """Why ``command`` is not allowed now, or None if it is."""
    if command in ALLOWED[state]:
        return None
    if state is State.NOT_AUTHENTICATED:
        return "Log in first"
    if state is State.LOGOUT:
        return "The session is over"
    if command in ALLOWED[State.SELECTED]:
        return "Select a mailbox first"
    return "Already logged in"


def after(state: State, command: bytes, status: Status) -> State:
    """The state once ``command`` was answered by ``status``."""
    return TRANSITIONS.get((command, status), state)


def allows_expunge(command: bytes) -> bool:
    """Whether EXPUNGE may be sent in the reply to ``command``; it never may while no command runs (IDLE is one)."""
    return command not in WITHOUT_EXPUNGE
