"""exists (RFC 5228 §5.5): all of the headers are there."""

from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand_all

_SIGNATURE = Signature((Kind.STRINGS,))


def _compile(scope: Scope, node: TestNode) -> Test:
    texts = scope.texts(bind(scope, node, _SIGNATURE).strings(0))

    def test_exists(run: Run) -> bool:
        run.fuel -= len(texts)
        if run.fuel < 0:
            raise run.exhausted()
        return all(run.message.header_values(name.lower()) for name in expand_all(run, texts))

    return test_exists


EXISTS = TestSpec("exists", _compile)
