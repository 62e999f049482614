"""vacation (RFC 5230): proposes an answer; whether it may be sent is decided by `sieve/autoreply.py` and the host."""

from barid_protocols.sieve.actions import Vacation
from barid_protocols.sieve.errors import SieveRuntimeError
from barid_protocols.sieve.limits import VACATION_DEFAULT_DAYS, VACATION_MAX_DAYS, VACATION_MIN_DAYS
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode, StringNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, Tag, bind
from barid_protocols.sieve.targets import checked_address
from barid_protocols.sieve.templates import Text, expand, expand_all

_SIGNATURE = Signature(
    (Kind.STRING,),
    tags={
        "days": Tag(Kind.NUMBER),
        "subject": Tag(Kind.STRING),
        "from": Tag(Kind.STRING),
        "addresses": Tag(Kind.STRINGS),
        "mime": Tag(),
        "handle": Tag(Kind.STRING),
    },
)


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bound = bind(scope, node, _SIGNATURE)
    reason = scope.text(bound.string(0))
    sender_node = bound.tag_string("from")
    subject, sender, handle = (_optional(scope, bound.tag_string(tag)) for tag in ("subject", "from", "handle"))
    if sender_node is not None and isinstance(sender, str):
        try:
            checked_address(sender)
        except ValueError as error:
            raise scope.error(sender_node.position, str(error)) from None
    addresses = scope.texts(bound.tag_strings("addresses"))
    mime = bound.has("mime")
    days = bound.tag_number("days")
    days = VACATION_DEFAULT_DAYS if days is None else min(max(days, VACATION_MIN_DAYS), VACATION_MAX_DAYS)
    line = scope.line(node.position)

    def run_vacation(run: Run) -> bool:
        from_ = None if sender is None else expand(run, sender)
        if from_ is not None:
            try:
                checked_address(from_)
            except ValueError as error:
                raise SieveRuntimeError(str(error), line) from None
        run.vacation(
            Vacation(
                expand(run, reason),
                None if subject is None else expand(run, subject),
                from_,
                tuple(expand_all(run, addresses)),
                mime,
                days,
                None if handle is None else expand(run, handle),
                line,
            )
        )
        return False

    return run_vacation


def _optional(scope: Scope, node: StringNode | None) -> Text | None:
    return None if node is None else scope.text(node)


VACATION = CommandSpec("vacation", _compile, "vacation")
