"""NOOP (RFC 1939 §5)."""

from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session, no_argument


def run(session: Session, argument: bytes) -> bytes:
    no_argument(argument)
    return ok()


COMMAND = Command(b"NOOP", run)
