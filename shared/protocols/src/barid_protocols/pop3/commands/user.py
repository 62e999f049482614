"""USER (RFC 1939 §7). Says nothing of whether the name exists."""

from barid_protocols.pop3.errors import Refused
from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session
from barid_protocols.pop3.states import State


def run(session: Session, argument: bytes) -> bytes:
    if not argument:
        raise Refused("a name is wanted")
    if not session.may_log_in:
        raise Refused("log in under TLS only: use STLS first")
    try:
        session.name = argument.decode()
    except UnicodeDecodeError:
        raise Refused("the name is not UTF-8") from None
    session.state = State.NAMED
    return ok("now the password")


COMMAND = Command(b"USER", run)
