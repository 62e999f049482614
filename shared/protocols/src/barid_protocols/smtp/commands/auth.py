"""AUTH (RFC 4954). The mechanism reads the responses, the host judges the credentials."""

import re
from collections.abc import Sequence

from barid_protocols.sasl import (
    Challenge,
    SaslCancelled,
    SaslError,
    decode_initial_response,
    decode_response,
    encode_base64,
    server_mechanism,
)
from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import Answer, Authenticate, Decision
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, single, too_many_logins
from barid_protocols.smtp.states import Input, State

MAX_AUTH_LINE = 12_288
"""RFC 4954 §4, with CR LF."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")  # RFC 4422 §3.1


def begin(session: Session, argument: bytes) -> Reply | Decision:
    name, _, initial = argument.partition(b" ")
    mechanism = name.decode("ascii", "replace").upper()
    options = session.options
    if not options.mechanisms:
        raise Refusal(replies.NOT_IMPLEMENTED)
    if not _NAME.fullmatch(mechanism):
        raise Refusal(replies.BAD_ARGUMENT)
    if session.login is not None:
        raise Refusal(replies.ALREADY_AUTHENTICATED)
    if not session.tls and not options.allow_plaintext_auth:
        raise Refusal(replies.AUTH_NEEDS_TLS)
    if mechanism not in options.mechanisms:
        raise Refusal(replies.UNKNOWN_MECHANISM)
    try:
        response = decode_initial_response(initial) if initial else None
    except SaslError:
        raise Refusal(replies.NOT_BASE64) from None
    session.exchange = server_mechanism(mechanism)
    session.advance(Input.AUTH)
    return _step(session, response)


def respond(session: Session, line: bytes) -> Reply | Decision:
    """A line while the exchange runs; no command, whatever it looks like."""
    try:
        response = decode_response(line)
    except SaslCancelled:
        _end(session)
        raise Refusal(replies.AUTH_CANCELLED) from None
    except SaslError:
        _end(session)
        raise Refusal(replies.NOT_BASE64) from None
    return _step(session, response)


def give_up(session: Session) -> None:
    """The response was longer than any may be."""
    _end(session)


def _step(session: Session, response: bytes | None) -> Reply | Decision:
    exchange = session.exchange
    assert exchange is not None
    try:
        result = exchange.step(response)
    except SaslError:
        _end(session)
        raise Refusal(replies.NOT_BASE64) from None
    if isinstance(result, Challenge):
        return Reply(334, "", encode_base64(result.data).decode("ascii"))
    return Authenticate(exchange.name, result)


def _end(session: Session) -> None:
    session.exchange = None
    if session.state is State.AUTH:
        session.advance(Input.AUTH_DONE)


def settle(session: Session, decision: Decision, answer: Answer) -> Sequence[Reply]:
    assert isinstance(decision, Authenticate)
    reply = single(answer, replies.AUTH_SUCCEEDED)
    accepted = completes(reply)
    _end(session)
    if accepted:
        session.login = decision.credentials.authcid
        return (reply,)
    if reply.permanent:
        session.failed_logins += 1
        if last_word := too_many_logins(session):
            return (reply, last_word)
    return (reply,)


COMMAND = Command(Input.AUTH, begin, max_line=MAX_AUTH_LINE, secret=True)
