"""STARTTLS (RFC 3207). The connection discards what was pipelined behind it and forgets all it knew (§4.2)."""

from collections.abc import Sequence

from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import Answer, Decision, StartTls
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, single
from barid_protocols.smtp.states import Input


def begin(session: Session, argument: bytes) -> Reply | Decision:
    if argument:
        raise Refusal(replies.NO_ARGUMENT_ALLOWED)
    if session.tls:
        raise Refusal(replies.TLS_ALREADY)
    if not session.options.starttls:
        raise Refusal(replies.NOT_IMPLEMENTED)
    return StartTls(0)


def settle(session: Session, _: Decision, answer: Answer) -> Sequence[Reply]:
    reply = single(answer, replies.TLS_READY)
    if completes(reply):
        session.advance(Input.STARTTLS)
    return (reply,)


COMMAND = Command(Input.STARTTLS, begin)
