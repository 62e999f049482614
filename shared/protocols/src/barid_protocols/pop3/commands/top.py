"""TOP (RFC 1939 §7)."""

from barid_protocols.pop3.events import Top
from barid_protocols.pop3.session import Command, Session, parse_number


def run(session: Session, argument: bytes) -> Top:
    number, _, lines = argument.partition(b" ")
    return Top(session.number(number), parse_number(lines.strip()))


COMMAND = Command(b"TOP", run)
