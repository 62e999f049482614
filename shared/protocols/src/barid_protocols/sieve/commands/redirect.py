"""redirect (RFC 5228 §4.2), with :copy (RFC 3894)."""

from barid_protocols.sieve.actions import Redirect
from barid_protocols.sieve.errors import SieveRuntimeError
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, Tag, bind
from barid_protocols.sieve.targets import checked_address
from barid_protocols.sieve.templates import expand

_SIGNATURE = Signature((Kind.STRING,), tags={"copy": Tag(capability="copy")})


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bound = bind(scope, node, _SIGNATURE)
    address = scope.text(bound.string(0))
    if isinstance(address, str):
        try:
            checked_address(address)
        except ValueError as error:
            raise scope.error(bound.string(0).position, str(error)) from None
    copy = bound.has("copy")
    line = scope.line(node.position)

    def run_redirect(run: Run) -> bool:
        try:
            target = checked_address(expand(run, address))
        except ValueError as error:
            raise SieveRuntimeError(str(error), line) from None
        run.redirect(Redirect(target, copy, line))
        if not copy:
            run.keeps = False
        return False

    return run_redirect


REDIRECT = CommandSpec("redirect", _compile)
