"""discard (RFC 5228 §4.4): takes back the implicit keep and does nothing else."""

from barid_protocols.sieve.actions import Discard
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Signature, bind

_SIGNATURE = Signature()


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bind(scope, node, _SIGNATURE)
    action = Discard(scope.line(node.position))

    def run_discard(run: Run) -> bool:
        run.discard(action)
        run.keeps = False
        return False

    return run_discard


DISCARD = CommandSpec("discard", _compile)
