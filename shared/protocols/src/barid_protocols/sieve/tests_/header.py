"""header (RFC 5228 §5.7)."""

from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.matching import MATCH_TAGS, matcher
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import constants, expand_all

_SIGNATURE = Signature((Kind.STRINGS, Kind.STRINGS), tags=MATCH_TAGS)


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    texts = scope.texts(bound.strings(0))
    match = matcher(scope, bound, bound.strings(1))
    known = constants(texts)
    if known is not None and len(known) == 1:
        name = known[0].lower()

        def test_one(run: Run) -> bool:
            values = run.message.header_values(name)
            return bool(values) and match(run, values)

        return test_one

    lowered = None if known is None else [name.lower() for name in known]

    def test_header(run: Run) -> bool:
        names = lowered if lowered is not None else [name.lower() for name in expand_all(run, texts)]
        for name in names:
            values = run.message.header_values(name)
            if values and match(run, values):
                return True
        return False

    return test_header


HEADER = TestSpec("header", _compile)
