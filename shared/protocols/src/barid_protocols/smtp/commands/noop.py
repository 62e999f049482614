"""NOOP (RFC 5321 §4.1.1.9); its argument is ignored, as the RFC asks."""

from barid_protocols.smtp import replies
from barid_protocols.smtp.events import Decision
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input


def begin(_: Session, __: bytes) -> Reply | Decision:
    return replies.OK


COMMAND = Command(Input.NOOP, begin)
