"""require (RFC 5228 §3.2): only at the start; an unknown extension refuses the script."""

from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, bind

_SIGNATURE = Signature((Kind.STRINGS,))


def _compile(scope: Scope, node: CommandNode) -> None:
    bound = bind(scope, node, _SIGNATURE)
    if not scope.may_require:
        raise scope.error(node.position, "require must stand before all other commands")
    for name in bound.strings(0):
        if name.value not in scope.grammar.capabilities:
            raise scope.error(name.position, f"unknown extension {shown(name.value)}")
        scope.required.add(name.value)


REQUIRE = CommandSpec("require", _compile)
