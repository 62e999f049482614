"""CAPA (RFC 2449 §5)."""

from barid_protocols.pop3.responses import listing
from barid_protocols.pop3.session import Command, Session, no_argument
from barid_protocols.pop3.states import State


def run(session: Session, argument: bytes) -> bytes:
    no_argument(argument)
    profile = session.profile
    lines = [b"TOP", b"UIDL", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE", b"EXPIRE NEVER"]
    if session.may_log_in or session.state is State.TRANSACTION:
        lines.append(b"USER")
        lines.append(b"SASL " + " ".join(profile.mechanisms).encode())
    if profile.tls_available and not session.tls and session.state is not State.TRANSACTION:
        lines.append(b"STLS")
    lines.append(b"IMPLEMENTATION " + profile.implementation.encode("ascii", "replace"))
    return listing("capabilities follow", lines)


COMMAND = Command(b"CAPA", run)
