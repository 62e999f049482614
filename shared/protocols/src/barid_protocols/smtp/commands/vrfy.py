"""VRFY (RFC 5321 §4.1.1.6). What it tells is the host's policy; by default nothing (§7.3)."""

from collections.abc import Sequence

from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import Answer, Decision, Verify
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, single
from barid_protocols.smtp.states import Input


def begin(_: Session, argument: bytes) -> Reply | Decision:
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(replies.BAD_ARGUMENT) from None
    if not text or not text.isprintable():
        raise Refusal(replies.BAD_ARGUMENT)
    return Verify(text)


def settle(_: Session, __: Decision, answer: Answer) -> Sequence[Reply]:
    reply = single(answer, replies.CANNOT_VERIFY)
    completes(reply)
    return (reply,)


COMMAND = Command(Input.VRFY, begin)
