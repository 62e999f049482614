"""QUIT (RFC 1939 §5, §6): the only way into the UPDATE state."""

from barid_protocols.pop3.events import Update
from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session, no_argument
from barid_protocols.pop3.states import State


def run(session: Session, argument: bytes) -> bytes | Update:
    no_argument(argument)
    if session.deleted:
        session.state = State.UPDATE
        return Update(tuple(sorted(session.deleted)))
    session.state = State.CLOSED
    return ok("goodbye")


COMMAND = Command(b"QUIT", run)
