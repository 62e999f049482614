"""Every state of a session and every step between them.

Rules:
- ``TRANSITIONS[state][input]`` is the state after the input was *accepted*. An input that is absent is out of sequence
  and answered 503; a refused one leaves the state as it is, unless the table names ``Input.REFUSED``.
- Facts that only grow until TLS or the end (encrypted, authenticated) are not states; commands check them.
- ``CLOSED`` has no way out, and no input reaches a command in it.

The cycle of a transaction: READY → (MAIL) SENDER → (RCPT) RECIPIENTS → (DATA) DATA → (the dot) READY.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from barid_protocols.smtp.replies import Reply


class State(Enum):
    # Enum's own __hash__ is written in Python; identity is enough and cheaper for what is looked up on every line.
    __hash__ = object.__hash__

    CONNECTED = "connected"  # the host has not yet decided on the greeting
    TURNED_AWAY = "turned away"  # greeted with 554: only QUIT is left (RFC 5321 §3.1)
    GREETED = "greeted"  # 220 is out, or TLS has just begun; no EHLO yet
    READY = "ready"  # EHLO is done; no transaction
    SENDER = "sender"  # MAIL is accepted
    RECIPIENTS = "recipients"  # at least one RCPT is accepted
    DATA = "data"  # 354 is out; octets are the message
    AUTH = "auth"  # 334 is out; the next line is a response
    TLS = "tls"  # 220 for STARTTLS is out; plaintext is discarded until the handshake is done
    CLOSED = "closed"


class Input(Enum):
    __hash__ = object.__hash__

    GREET = "greeting"
    TURN_AWAY = "greeting refused"
    EHLO = "EHLO"
    HELO = "HELO"
    LHLO = "LHLO"
    STARTTLS = "STARTTLS"
    TLS_UP = "TLS handshake done"
    AUTH = "AUTH"
    AUTH_DONE = "end of AUTH exchange"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END_OF_DATA = "end of data"
    RSET = "RSET"
    VRFY = "VRFY"
    EXPN = "EXPN"
    HELP = "HELP"
    NOOP = "NOOP"
    QUIT = "QUIT"


def _any_time(state: State, reset_to: State) -> dict[Input, State]:
    """RFC 5321 §4.1.4: these may come at any time once the greeting is out."""
    return {
        Input.EHLO: State.READY,
        Input.HELO: State.READY,
        Input.LHLO: State.READY,
        Input.RSET: reset_to,
        Input.VRFY: state,
        Input.EXPN: state,
        Input.HELP: state,
        Input.NOOP: state,
        Input.QUIT: State.CLOSED,
    }


TRANSITIONS: Mapping[State, Mapping[Input, State]] = MappingProxyType(
    {
        State.CONNECTED: {Input.GREET: State.GREETED, Input.TURN_AWAY: State.TURNED_AWAY},
        State.TURNED_AWAY: {Input.QUIT: State.CLOSED},
        State.GREETED: _any_time(State.GREETED, State.GREETED),
        State.READY: {
            **_any_time(State.READY, State.READY),
            Input.STARTTLS: State.TLS,
            Input.AUTH: State.AUTH,
            Input.MAIL: State.SENDER,
        },
        State.SENDER: {**_any_time(State.SENDER, State.READY), Input.RCPT: State.RECIPIENTS},
        State.RECIPIENTS: {
            **_any_time(State.RECIPIENTS, State.READY),
            Input.RCPT: State.RECIPIENTS,
            Input.DATA: State.DATA,
        },
        State.DATA: {Input.END_OF_DATA: State.READY},
        State.AUTH: {Input.AUTH_DONE: State.READY},
        State.TLS: {Input.TLS_UP: State.GREETED},
        State.CLOSED: {},
    }
)

_NEEDS_HELLO = frozenset({Input.STARTTLS, Input.AUTH, Input.MAIL, Input.RCPT, Input.DATA})
_WHY = {
    Input.MAIL: "A transaction is open already",
    Input.RCPT: "MAIL comes first",
    Input.DATA: "No valid recipients",
    Input.AUTH: "Not within a transaction",
    Input.STARTTLS: "Not within a transaction",
}


def _refusal(state: State, step: Input) -> Reply:
    if state is State.GREETED and step in _NEEDS_HELLO:
        why = "Say hello first"
    elif state is State.TURNED_AWAY:
        why = "Only QUIT now"
    elif state is State.READY and step is Input.DATA:
        why = "MAIL comes first"
    else:
        why = _WHY.get(step, "Bad sequence of commands")
    return Reply(503, "5.5.1", why)


_OUT_OF_SEQUENCE = {
    state: {step: _refusal(state, step) for step in Input if step not in steps} for state, steps in TRANSITIONS.items()
}


def out_of_sequence(state: State, step: Input) -> Reply | None:
    """The 503 for a command that may not come now; None if it may."""
    return _OUT_OF_SEQUENCE[state].get(step)
