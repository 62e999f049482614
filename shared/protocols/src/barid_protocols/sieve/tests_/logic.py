"""allof, anyof, not, true, false (RFC 5228 §5.2, §5.3, §5.6, §5.8, §5.10). From left to right, no further than
needed, as RFC 5229 §3 wants where tests set match variables."""

from barid_protocols.sieve.machine import Run, Test
from barid_protocols.sieve.nodes import TestNode
from barid_protocols.sieve.scope import Scope, TestSpec
from barid_protocols.sieve.signature import Signature, Tests, bind

_CONSTANT = Signature()
_ONE = Signature(tests=Tests.ONE)
_LIST = Signature(tests=Tests.LIST)


def _allof(scope: Scope, node: TestNode) -> Test:
    bind(scope, node, _LIST)
    tests = [scope.test(inner) for inner in node.tests]

    def test_allof(run: Run) -> bool:
        for test in tests:  # noqa: SIM110 - all() with a generator costs three times as much
            if not test(run):
                return False
        return True

    return test_allof


def _anyof(scope: Scope, node: TestNode) -> Test:
    bind(scope, node, _LIST)
    tests = [scope.test(inner) for inner in node.tests]

    def test_anyof(run: Run) -> bool:
        for test in tests:  # noqa: SIM110 - any() with a generator costs three times as much
            if test(run):
                return True
        return False

    return test_anyof


def _not(scope: Scope, node: TestNode) -> Test:
    bind(scope, node, _ONE)
    test = scope.test(node.tests[0])
    return lambda run: not test(run)


def _true(scope: Scope, node: TestNode) -> Test:
    bind(scope, node, _CONSTANT)
    return lambda run: True


def _false(scope: Scope, node: TestNode) -> Test:
    bind(scope, node, _CONSTANT)
    return lambda run: False


ALLOF = TestSpec("allof", _allof)
ANYOF = TestSpec("anyof", _anyof)
NOT = TestSpec("not", _not)
TRUE = TestSpec("true", _true)
FALSE = TestSpec("false", _false)
