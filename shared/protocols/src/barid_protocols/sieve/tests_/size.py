"""size (RFC 5228 §5.9): strictly over or under."""

from barid_protocols.sieve.machine import Test
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, Tag, bind

_SIGNATURE = Signature((Kind.NUMBER,), tags={"over": Tag(group="relation"), "under": Tag(group="relation")})


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    limit = bound.number(0)
    match bound.chosen("relation", ""):
        case "over":
            return lambda run: run.message.size > limit
        case "under":
            return lambda run: run.message.size < limit
        case _:
            raise scope.error(node.position, 'size needs ":over" or ":under"')


SIZE = TestSpec("size", _compile)
