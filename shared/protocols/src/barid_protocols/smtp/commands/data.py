"""DATA (RFC 5321 §4.1.1.4), its start and its end. LMTP answers the end once a recipient (RFC 2033 §4.2)."""

from collections.abc import Sequence

from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import LocalError, Refusal
from barid_protocols.smtp.events import Answer, DataStarted, Decision
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, each, single
from barid_protocols.smtp.states import Input


def begin(session: Session, argument: bytes) -> Reply | Decision:
    if argument:
        raise Refusal(replies.NO_ARGUMENT_ALLOWED)
    assert session.transaction is not None
    return DataStarted(session.transaction.accepted)


def settle_start(session: Session, _: Decision, answer: Answer) -> Sequence[Reply]:
    reply = single(answer, replies.SEND_DATA)
    if reply is replies.SEND_DATA:
        session.advance(Input.DATA)
    elif reply.positive:
        raise LocalError("DATA is accepted with None")
    else:
        # The RFC does not say whether the transaction outlives a refused DATA. It ends here: a client that sends
        # RSET next and one that sends MAIL next are both served.
        session.transaction = None
        session.advance(Input.RSET)
    return (reply,)


def settle_end(session: Session, _: Decision, answer: Answer) -> Sequence[Reply]:
    answers = _replies(session, answer)
    if any(map(completes, answers)):
        session.errors = 0
    session.transaction = None
    session.advance(Input.END_OF_DATA)
    return answers


def end_refused(session: Session, verdict: Reply) -> Sequence[Reply]:
    """The end of a message on which the core itself had decided."""
    answers = _replies(session, verdict)
    session.transaction = None
    session.advance(Input.END_OF_DATA)
    return answers


def _replies(session: Session, answer: Answer) -> Sequence[Reply]:
    if not session.options.lmtp:
        return (single(answer, replies.MESSAGE_ACCEPTED),)
    assert session.transaction is not None
    return each(answer, session.transaction.accepted, replies.MESSAGE_ACCEPTED)


COMMAND = Command(Input.DATA, begin)
