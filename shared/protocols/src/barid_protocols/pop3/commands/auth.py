"""AUTH (RFC 5034), with its continuation lines."""

from barid_protocols.pop3.errors import Refused
from barid_protocols.pop3.events import Login
from barid_protocols.pop3.responses import ResponseCode, challenge, listing
from barid_protocols.pop3.session import Command, Session
from barid_protocols.sasl import (
    Challenge,
    SaslCancelled,
    SaslError,
    decode_initial_response,
    decode_response,
    encode_base64,
    server_mechanism,
)


def run(session: Session, argument: bytes) -> bytes | Login:
    if not session.may_log_in:
        raise Refused("log in under TLS only: use STLS first")
    if not argument:
        # Not in the RFC; clients before it asked so for the mechanisms.
        return listing("mechanisms follow", [name.encode() for name in session.profile.mechanisms])
    name, _, initial = argument.partition(b" ")
    wanted = name.decode("ascii", "replace").upper()
    if wanted not in session.profile.mechanisms:
        raise Refused("no such mechanism")
    session.exchange = server_mechanism(wanted)
    try:
        return _step(session, decode_initial_response(initial) if initial else None)
    except SaslError as error:
        raise _end(session, error) from error


def respond(session: Session, line: bytes) -> bytes | Login:
    """One line of the exchange that is under way. Raises ``Refused``, which ends it."""
    try:
        return _step(session, decode_response(line))
    except SaslError as error:
        raise _end(session, error) from error


def _step(session: Session, response: bytes | None) -> bytes | Login:
    assert session.exchange is not None
    result = session.exchange.step(response)
    if isinstance(result, Challenge):
        return challenge(encode_base64(result.data))
    name = session.exchange.name
    session.exchange = None
    return Login(name, result)


def _end(session: Session, error: SaslError) -> Refused:
    session.exchange = None
    return Refused(error.text, None if isinstance(error, SaslCancelled) else ResponseCode.AUTH)


COMMAND = Command(b"AUTH", run)
