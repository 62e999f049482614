"""if, elsif, else (RFC 5228 §3.1). The parser hangs the branches on their if."""

from barid_protocols.sieve.machine import Operation, Run, Test
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Signature, Tests, bind

_TESTED = Signature(tests=Tests.ONE, block=True)
_UNTESTED = Signature(block=True)


def _compile(scope: Scope, node: CommandNode) -> Operation:
    branches: list[tuple[Test, Operation]] = []
    otherwise: Operation | None = None
    for branch in (node, *node.branches):
        if branch.name == "else":
            bind(scope, branch, _UNTESTED)
            otherwise = scope.block(branch.block or ())
        else:
            bind(scope, branch, _TESTED)
            branches.append((scope.test(branch.tests[0]), scope.block(branch.block or ())))
    if len(branches) == 1 and otherwise is None:
        test, block = branches[0]

        def run_if(run: Run) -> bool:
            return test(run) and block(run)

        return run_if

    def run_chain(run: Run) -> bool:
        for test, block in branches:
            if test(run):
                return block(run)
        return otherwise is not None and otherwise(run)

    return run_chain


IF = CommandSpec("if", _compile)
