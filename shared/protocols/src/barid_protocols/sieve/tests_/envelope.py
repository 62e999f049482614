"""envelope (RFC 5228 §5.4): from, to, and auth for the authenticated sender."""

from barid_protocols.sieve.address_parts import ADDRESS_TAGS, address_part
from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.matching import MATCH_TAGS, matcher
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import expand_all

_SIGNATURE = Signature((Kind.STRINGS, Kind.STRINGS), tags=MATCH_TAGS | ADDRESS_TAGS)
_PARTS = frozenset({"from", "to", "auth"})


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    texts = scope.texts(bound.strings(0))
    for item, text in zip(bound.strings(0), texts, strict=True):
        if isinstance(text, str) and text.lower() not in _PARTS:
            raise scope.error(item.position, f"unknown envelope part {shown(item.value)}")
    parts = address_part(scope, bound)
    match = matcher(scope, bound, bound.strings(1))

    def test_envelope(run: Run) -> bool:
        for name in expand_all(run, texts):
            path = run.message.envelope(name.lower())
            if path is not None and match(run, parts((path,))):
                return True
        return False

    return test_envelope


ENVELOPE = TestSpec("envelope", _compile, "envelope")
