"""STLS (RFC 2595 §4)."""

from barid_protocols.pop3.errors import Refused
from barid_protocols.pop3.events import StartTls
from barid_protocols.pop3.session import Command, Session, no_argument


def run(session: Session, argument: bytes) -> StartTls:
    no_argument(argument)
    if session.tls:
        raise Refused("TLS is active already")
    if not session.profile.tls_available:
        raise Refused("TLS is not available")
    return StartTls()


COMMAND = Command(b"STLS", run)
