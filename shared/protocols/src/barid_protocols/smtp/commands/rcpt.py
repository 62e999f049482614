"""RCPT (RFC 5321 §4.1.1.3). Pipelined neighbours are taken into one decision, so one look-up serves them all."""

import re
from collections.abc import Callable, Sequence

from barid_protocols.smtp import replies
from barid_protocols.smtp.address import COMMON_PATH_PATTERN, Address, common_address, parse_path
from barid_protocols.smtp.commands.parameters import parse_parameters
from barid_protocols.smtp.errors import AddressError, Refusal
from barid_protocols.smtp.events import Answer, Decision, RcptTo
from barid_protocols.smtp.options import MAX_BATCH
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session, completes, each
from barid_protocols.smtp.states import Input

# Nearly every RCPT, in one match.
_USUAL = re.compile(rb"[Tt][Oo]:" + COMMON_PATH_PATTERN)
_TO = re.compile(rb"[Tt][Oo]: ?(?=<)")
_BAD_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
_NULL_PATH = Reply(501, "5.1.3", "A recipient cannot be the null path")

PARAMETERS: dict[bytes, Callable[[Session, bytes | None], None]] = {}
"""None yet; DSN's NOTIFY and ORCPT will stand here."""


def _parse(session: Session, argument: bytes) -> Address:
    usual = _USUAL.fullmatch(argument)
    if usual is not None and usual[1] is not None and (common := common_address(usual[1], usual[2])):
        return common
    keyword = _TO.match(argument)
    if keyword is None:
        raise Refusal(_BAD_SYNTAX)
    try:
        address, rest = parse_path(argument[keyword.end() :])
    except AddressError as error:
        raise Refusal(Reply(501, "5.1.3", error.reason)) from None
    if address is None:
        raise Refusal(_NULL_PATH)
    if rest:
        for name, value in parse_parameters(rest):
            parameter = PARAMETERS.get(name)
            if parameter is None or not session.extended:
                raise Refusal(replies.UNKNOWN_PARAMETER)
            parameter(session, value)
    transaction = session.transaction
    assert transaction is not None
    if not transaction.smtputf8 and not address.ascii:
        raise Refusal(replies.NEEDS_SMTPUTF8)
    return address


def _room(session: Session) -> int:
    assert session.transaction is not None
    return session.options.max_recipients - session.transaction.accepted


def begin(session: Session, argument: bytes) -> Reply | Decision:
    address = _parse(session, argument)
    if _room(session) <= 0:
        # Not an error of the peer: RFC 5321 §4.5.3.1.10 makes it send the rest in another transaction.
        return replies.TOO_MANY_RECIPIENTS
    return RcptTo([address])


def extend(session: Session, decision: Decision, argument: bytes) -> bool:
    assert isinstance(decision, RcptTo)
    if len(decision.recipients) >= min(MAX_BATCH, _room(session)):
        return False
    try:
        decision.recipients.append(_parse(session, argument))
    except Refusal:
        return False
    return True


def settle(session: Session, decision: Decision, answer: Answer) -> Sequence[Reply]:
    assert isinstance(decision, RcptTo)
    assert session.transaction is not None
    answers = each(answer, len(decision.recipients), replies.RECIPIENT_OK)
    accepted = sum(map(completes, answers))
    if accepted:
        session.transaction.accepted += accepted
        session.advance(Input.RCPT)
    return answers


COMMAND = Command(Input.RCPT, begin, extend=extend)
