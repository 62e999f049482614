"""UIDL (RFC 1939 §7)."""

from barid_protocols.pop3.responses import listing, ok
from barid_protocols.pop3.session import Command, Session


def run(session: Session, argument: bytes) -> bytes:
    unique_ids = session.unique_ids
    if argument:
        number = session.number(argument)
        return ok(f"{number} {unique_ids[number - 1]}")
    lines = [f"{number} {unique_ids[number - 1]}".encode("ascii") for number in session.present()]
    return listing(f"{len(lines)} messages", lines)


COMMAND = Command(b"UIDL", run)
