"""The greeting (RFC 5321 §3.1): no command, but a decision all the same."""

from collections.abc import Sequence
from functools import lru_cache

from barid_protocols.smtp.events import Answer, Decision
from barid_protocols.smtp.options import ServerOptions
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Session, completes, single
from barid_protocols.smtp.states import Input


@lru_cache(maxsize=64)
def _banner(options: ServerOptions) -> Reply:
    return Reply(220, "", f"{options.hostname} {'LMTP' if options.lmtp else 'ESMTP'} {options.software}".rstrip())


def settle(session: Session, _: Decision, answer: Answer) -> Sequence[Reply]:
    reply = single(answer, _banner(session.options))
    session.advance(Input.GREET if completes(reply) else Input.TURN_AWAY)
    return (reply,)
