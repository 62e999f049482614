"""keep (RFC 5228 §4.3), with :flags (RFC 5232 §5)."""

from barid_protocols.sieve.actions import Keep
from barid_protocols.sieve.imap_flags import FLAGS_TAG, flags_argument
from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Signature, bind

_SIGNATURE = Signature(tags={"flags": FLAGS_TAG})


def _compile(scope: Scope, node: CommandNode) -> Operation:
    flags = flags_argument(scope, bind(scope, node, _SIGNATURE))
    line = scope.line(node.position)

    def run_keep(run: Run) -> bool:
        run.keep(Keep(flags(run), line))
        run.keeps = False
        return False

    return run_keep


KEEP = CommandSpec("keep", _compile)
