"""EHLO, HELO (RFC 5321 §4.1.1.1) and LHLO (RFC 2033 §4.1)."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from barid_protocols.smtp import replies
from barid_protocols.smtp.address import is_address_literal
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import Answer, Decision, Hello, Reset
from barid_protocols.smtp.options import ServerOptions
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, single
from barid_protocols.smtp.states import Input

# Wider than the grammar: an underscore, a leading or trailing dot and the like come from hosts that nobody can mend,
# and RFC 5321 §4.1.4 lets no mail be refused for the name. Narrow enough to stand in a Received field.
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,255}")


@lru_cache(maxsize=64)
def features(options: ServerOptions, tls: bool, logged_in: bool) -> Reply:
    """The reply to EHLO. Depends on nothing else, so it is formatted once a listener and state."""
    lines = [options.hostname, "PIPELINING", f"SIZE {options.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
    if options.starttls and not tls:
        lines.append("STARTTLS")
    if options.mechanisms and not logged_in and (tls or options.allow_plaintext_auth):
        lines.append("AUTH " + " ".join(options.mechanisms))
    lines.append("HELP")
    return Reply(250, "", lines)


@lru_cache(maxsize=64)
def _plain(hostname: str) -> Reply:
    return Reply(250, "", hostname)


def _begin(verb: str) -> Callable[[Session, bytes], Decision]:
    def begin(_: Session, argument: bytes) -> Decision:
        if not _NAME.fullmatch(argument) and not is_address_literal(argument.decode("ascii", "replace")):
            raise Refusal(replies.BAD_HELLO)
        return Hello(verb, argument.decode("ascii"))

    return begin


def settle(session: Session, decision: Decision, answer: Answer) -> Sequence[Reply]:
    assert isinstance(decision, Hello)
    extended = decision.verb != "HELO"
    if extended:
        usual = features(session.options, session.tls, session.login is not None)
    else:
        usual = _plain(session.options.hostname)
    reply = single(answer, usual)
    if completes(reply):
        session.hello = decision.name
        session.extended = extended
        session.forget_transaction(Reset())
        session.advance(Input[decision.verb])
    return (reply,)


EHLO = Command(Input.EHLO, _begin("EHLO"))
HELO = Command(Input.HELO, _begin("HELO"))
LHLO = Command(Input.LHLO, _begin("LHLO"))
