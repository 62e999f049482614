"""stop (RFC 5228 §3.3)."""

from barid_protocols.sieve.machine import Operation
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Signature, bind

_SIGNATURE = Signature()


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bind(scope, node, _SIGNATURE)
    return lambda run: True


STOP = CommandSpec("stop", _compile)
