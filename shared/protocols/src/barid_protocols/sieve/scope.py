"""Compile time: what has been required, where we are in the script, and how parts are compiled.

Commands and tests are looked up in a Grammar, so this module knows none of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from barid_protocols.sieve.errors import SieveSyntaxError, shown
from barid_protocols.sieve.machine import Operation, Run, Test
from barid_protocols.sieve.nodes import CommandNode, Source, StringNode, TestNode
from barid_protocols.sieve.templates import Text, decode_characters, parse_references


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command. `compile` checks everything and gives the operation, or None if there is nothing to do at run
    time. `capability` must have been required, if not empty."""

    name: str
    compile: "Callable[[Scope, CommandNode], Operation | None]"
    capability: str = ""


@dataclass(frozen=True, slots=True)
class TestSpec:
    """One test; as CommandSpec."""

    name: str
    compile: "Callable[[Scope, TestNode], Test]"
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The language: commands and tests by name, and all that `require` may name."""

    commands: Mapping[str, CommandSpec]
    tests: Mapping[str, TestSpec]
    capabilities: frozenset[str]


class Scope:
    """`separator` divides user from detail in a local part (RFC 5233 §4)."""

    __slots__ = ("_source", "grammar", "may_require", "required", "separator")

    def __init__(self, source: Source, grammar: Grammar, separator: str) -> None:
        self._source = source
        self.grammar = grammar
        self.separator = separator
        self.required: set[str] = set()
        self.may_require = True

    def error(self, position: int, reason: str) -> SieveSyntaxError:
        return self._source.error(position, reason)

    def line(self, position: int) -> int:
        return self._source.line(position)

    def need(self, capability: str, position: int, what: str, name: str = "") -> None:
        """Refuses the script unless `capability` was required. `what` and `name` say in the error who needs it."""
        if capability and capability not in self.required:
            subject = f"{what} {shown(name)}" if name else what
            raise self.error(position, f'{subject} needs require "{capability}"')

    def block(self, nodes: Sequence[CommandNode]) -> Operation:
        operations: list[Operation] = []
        for node in nodes:
            spec = self.grammar.commands.get(node.name)
            if spec is None:
                raise self.error(node.position, f"unknown command {shown(node.name)}")
            self.need(spec.capability, node.position, "command", node.name)
            if node.name != "require":
                self.may_require = False
            operation = spec.compile(self, node)
            if operation is not None:
                operations.append(operation)
        return _sequence(operations)

    def test(self, node: TestNode) -> Test:
        spec = self.grammar.tests.get(node.name)
        if spec is None:
            raise self.error(node.position, f"unknown test {shown(node.name)}")
        self.need(spec.capability, node.position, "test", node.name)
        return spec.compile(self, node)

    def text(self, node: StringNode) -> Text:
        """The string as it will be at run time."""
        value = node.value
        if "${" not in value:
            return value
        try:
            if "encoded-character" in self.required:
                value = decode_characters(value)
            if "variables" in self.required:
                return parse_references(value, self.line(node.position))
        except ValueError as error:
            raise self.error(node.position, str(error)) from None
        return value

    def texts(self, nodes: Sequence[StringNode]) -> tuple[Text, ...]:
        return tuple(self.text(node) for node in nodes)


def _sequence(operations: list[Operation]) -> Operation:
    count = len(operations)
    if count == 1:
        only = operations[0]

        def run_one(run: Run) -> bool:
            run.fuel -= 1
            return only(run)

        return run_one

    def run_all(run: Run) -> bool:
        run.fuel -= count
        if run.fuel < 0:
            raise run.exhausted()
        for operation in operations:  # noqa: SIM110 - any() with a generator costs three times as much
            if operation(run):
                return True
        return False

    return run_all
