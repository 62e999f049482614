"""STAT (RFC 1939 §5)."""

from barid_protocols.pop3.responses import ok
from barid_protocols.pop3.session import Command, Session, no_argument


def run(session: Session, argument: bytes) -> bytes:
    no_argument(argument)
    present = session.present()
    return ok(f"{len(present)} {sum(session.sizes[number - 1] for number in present)}")


COMMAND = Command(b"STAT", run)
