"""string (RFC 5229 §5): strings of the script, usually with variables in them, against keys."""

from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.matching import MATCH_TAGS, matcher
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand_all

_SIGNATURE = Signature((Kind.STRINGS, Kind.STRINGS), tags=MATCH_TAGS)


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    sources = scope.texts(bound.strings(0))
    match = matcher(scope, bound, bound.strings(1))

    def test_string(run: Run) -> bool:
        return match(run, expand_all(run, sources))

    return test_string


STRING = TestSpec("string", _compile, "variables")
