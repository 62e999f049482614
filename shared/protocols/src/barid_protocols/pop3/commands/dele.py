"""DELE (RFC 1939 §5): a mark, undone by RSET, carried out by QUIT."""

from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session


def run(session: Session, argument: bytes) -> bytes:
    number = session.number(argument)
    session.deleted.add(number)
    return ok(f"message {number} will be deleted")


COMMAND = Command(b"DELE", run)
