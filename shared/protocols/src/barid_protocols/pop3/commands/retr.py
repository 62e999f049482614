"""RETR (RFC 1939 §5)."""

from barid_protocols.pop3.events import Retrieve
from barid_protocols.pop3.session import Command, Session


def run(session: Session, argument: bytes) -> Retrieve:
    return Retrieve(session.number(argument))


COMMAND = Command(b"RETR", run)
