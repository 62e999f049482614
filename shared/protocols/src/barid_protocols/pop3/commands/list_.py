"""LIST (RFC 1939 §5)."""

from barid_protocols.pop3.responses import listing, ok
from barid_protocols.pop3.session import Command, Session


def run(session: Session, argument: bytes) -> bytes:
    sizes = session.sizes
    if argument:
        number = session.number(argument)
        return ok(f"{number} {sizes[number - 1]}")
    present = session.present()
    return listing(f"{len(present)} messages", [b"%d %d" % (number, sizes[number - 1]) for number in present])


COMMAND = Command(b"LIST", run)
