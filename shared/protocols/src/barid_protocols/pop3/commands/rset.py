"""RSET (RFC 1939 §5)."""

from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session, no_argument


def run(session: Session, argument: bytes) -> bytes:
    no_argument(argument)
    session.deleted.clear()
    return ok(f"{len(session.sizes)} messages")


COMMAND = Command(b"RSET", run)
