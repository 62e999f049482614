"""RSET (RFC 5321 §4.1.1.5)."""

from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import Decision, Reset
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input


def begin(session: Session, argument: bytes) -> Reply | Decision:
    if argument:
        raise Refusal(replies.NO_ARGUMENT_ALLOWED)
    session.forget_transaction(Reset())
    session.advance(Input.RSET)
    return replies.RESET_OK


COMMAND = Command(Input.RSET, begin)
