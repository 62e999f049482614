"""PASS (RFC 1939 §7): the argument is all that follows, spaces included."""

from barid_protocols.pop3.errors import Refused
from barid_protocols.pop3.events import Login
from barid_protocols.pop3.session import Command, Session
from barid_protocols.pop3.states import State
from barid_protocols.sasl import Credentials


def run(session: Session, argument: bytes) -> Login:
    name, session.name = session.name, ""
    session.state = State.AUTHORIZATION
    if not argument:
        raise Refused("a password is wanted")
    try:
        return Login("USER", Credentials("", name, argument.decode()))
    except UnicodeDecodeError:
        raise Refused("the password is not UTF-8") from None


COMMAND = Command(b"PASS", run)
