"""hasflag (RFC 5232 §4): each flag of the internal variable, or of the named ones, against the keys."""

from collections.abc import Sequence

from barid_protocols.sieve.imap_flags import normal_flags
from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.matching import MATCH_TAGS, matcher
from barid_protocols.sieve.nodes import StringNode, TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Kind, Signature, bind
from barid_protocols.sieve.templates import Text, expand_all
from barid_protocols.sieve.variables import variable_name

_SIGNATURE = Signature((Kind.STRINGS, Kind.STRINGS), tags=MATCH_TAGS, optional_first=True)


def _compile(scope: Scope, node: TestNode) -> Test:
    bound = bind(scope, node, _SIGNATURE)
    keys = [
        StringNode(word, item.position)
        for item in bound.strings(-1)
        # "A B" stands for two flags (RFC 5232 §2); with variables it is split at run time.
        for word in (item.value.split() if "${" not in item.value else [item.value]) or [item.value]
    ]
    match = matcher(scope, bound, keys, _expand_keys)
    if bound.count == 1:
        return lambda run: match(run, run.flags)
    scope.need("variables", node.position, "a named variable of flags")
    names = [variable_name(scope, item.value, item.position) for item in bound.strings(0)]

    def test_named(run: Run) -> bool:
        return match(run, normal_flags(run.variables.get(name, "") for name in names))

    return test_named


def _expand_keys(run: Run, texts: Sequence[Text]) -> list[str]:
    return [word for text in expand_all(run, texts) for word in text.split()]


HASFLAG = TestSpec("hasflag", _compile, "imap4flags")
