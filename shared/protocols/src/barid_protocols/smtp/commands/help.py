"""HELP (RFC 5321 §4.1.1.8)."""

from barid_protocols.smtp.events import Decision
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input

_SMTP = Reply(214, "2.0.0", ["EHLO HELO STARTTLS AUTH MAIL RCPT DATA", "RSET NOOP VRFY HELP QUIT", "See RFC 5321"])
_LMTP = Reply(214, "2.0.0", ["LHLO STARTTLS AUTH MAIL RCPT DATA", "RSET NOOP VRFY HELP QUIT", "See RFC 2033"])


def begin(session: Session, _: bytes) -> Reply | Decision:
    return _LMTP if session.options.lmtp else _SMTP


COMMAND = Command(Input.HELP, begin)
