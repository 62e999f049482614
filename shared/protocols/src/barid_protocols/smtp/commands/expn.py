"""EXPN (RFC 5321 §4.1.1.7): known, never done; members of a list are nobody's business (§7.3)."""

from barid_protocols.smtp import replies
from barid_protocols.smtp.events import Decision
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input


def begin(_: Session, __: bytes) -> Reply | Decision:
    return replies.NOT_IMPLEMENTED


COMMAND = Command(Input.EXPN, begin)
