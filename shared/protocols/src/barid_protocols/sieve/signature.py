"""Arguments: what a command or test takes, and binding what was written to it (RFC 5228 §2.6)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.nodes import (
    ArgumentNode,
    CommandNode,
    NumberNode,
    StringListNode,
    StringNode,
    TagNode,
    TestNode,
)
from barid_protocols.sieve.scope import Scope


class Kind(Enum):
    STRING = "a string"
    STRINGS = "a string or list of strings"
    NUMBER = "a number"


class Tests(Enum):
    """How many tests follow the arguments."""

    NONE = "no test"
    ONE = "one test"
    LIST = "a list of tests in parentheses"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument. At most one tag of a `group` may be written; `value` is what follows the tag, if anything."""

    value: Kind | None = None
    group: str = ""
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """`optional_first`: the first positional argument may be left out (the variable name of RFC 5232)."""

    positional: tuple[Kind, ...] = ()
    tags: Mapping[str, Tag] = field(default_factory=dict)
    optional_first: bool = False
    tests: Tests = Tests.NONE
    block: bool = False


class Bound:
    """The arguments of one node, checked. Positional arguments count from the last one back where the first is
    optional, so `strings(-1)` is always the last."""

    __slots__ = ("_groups", "_positional", "_tags", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self._positional: list[ArgumentNode] = []
        self._tags: dict[str, ArgumentNode | None] = {}
        self._groups: dict[str, str] = {}

    @property
    def count(self) -> int:
        return len(self._positional)

    def has(self, tag: str) -> bool:
        return tag in self._tags

    def chosen(self, group: str, default: str) -> str:
        """The tag of a group that was written."""
        return self._groups.get(group, default)

    def string(self, index: int) -> StringNode:
        node = self._positional[index]
        assert isinstance(node, StringNode)
        return node

    def strings(self, index: int) -> list[StringNode]:
        return _items(self._positional[index])

    def number(self, index: int) -> int:
        node = self._positional[index]
        assert isinstance(node, NumberNode)
        return node.value

    def tag_string(self, tag: str) -> StringNode | None:
        node = self._tags.get(tag)
        assert node is None or isinstance(node, StringNode)
        return node

    def tag_strings(self, tag: str) -> list[StringNode]:
        node = self._tags.get(tag)
        return [] if node is None else _items(node)

    def tag_number(self, tag: str) -> int | None:
        node = self._tags.get(tag)
        assert node is None or isinstance(node, NumberNode)
        return None if node is None else node.value


def bind(scope: Scope, node: CommandNode | TestNode, signature: Signature) -> Bound:
    """Raises SieveSyntaxError where the node does not fit the signature."""
    bound = Bound(node.position)
    arguments = iter(node.arguments)
    for argument in arguments:
        if isinstance(argument, TagNode):
            _bind_tag(scope, bound, signature, argument, arguments, node.name)
        else:
            bound._positional.append(argument)
    _check_positional(scope, bound, signature, node.name)
    _check_tests(scope, node, signature)
    return bound


def _bind_tag(
    scope: Scope, bound: Bound, signature: Signature, node: TagNode, rest: Iterator[ArgumentNode], name: str
) -> None:
    tag = signature.tags.get(node.name)
    if tag is None:
        raise scope.error(node.position, f"{shown(name)} takes no {_tag(node)}")
    if bound._positional:
        raise scope.error(node.position, f"{_tag(node)} must stand before the other arguments of {shown(name)}")
    scope.need(tag.capability, node.position, "argument", ":" + node.name)
    group = tag.group or node.name
    if group in bound._groups:
        other = shown(":" + bound._groups[group])
        raise scope.error(node.position, f"{_tag(node)} after {other}: only one of them may be given")
    bound._groups[group] = node.name
    value: ArgumentNode | None = None
    if tag.value is not None:
        value = next(rest, None)
        if value is None or not _fits(value, tag.value):
            raise scope.error(node.position, f"{_tag(node)} must be followed by {tag.value.value}")
    bound._tags[node.name] = value


def _check_positional(scope: Scope, bound: Bound, signature: Signature, name: str) -> None:
    wanted = signature.positional
    if signature.optional_first and bound.count == len(wanted) - 1:
        wanted = wanted[1:]
    for given, kind in zip(bound._positional, wanted, strict=False):
        if not _fits(given, kind):
            raise scope.error(given.position, f"{shown(name)} takes {kind.value} here")
    if bound.count < len(wanted):
        raise scope.error(bound.position, f"{shown(name)} is missing an argument: {wanted[bound.count].value}")
    if bound.count > len(wanted):
        raise scope.error(bound._positional[len(wanted)].position, f"{shown(name)} takes no further argument")


def _check_tests(scope: Scope, node: CommandNode | TestNode, signature: Signature) -> None:
    wanted = signature.tests
    given = Tests.LIST if node.is_list else Tests.ONE if node.tests else Tests.NONE
    if given is not wanted:
        place = node.tests[0].position if node.tests else node.position
        raise scope.error(place, f"{shown(node.name)} takes {wanted.value}")
    if isinstance(node, CommandNode) and (node.block is not None) is not signature.block:
        raise scope.error(
            node.position,
            f"{shown(node.name)} needs a block" if signature.block else f"{shown(node.name)} takes no block",
        )


def _tag(node: TagNode) -> str:
    return shown(":" + node.name)


def _fits(node: ArgumentNode, kind: Kind) -> bool:
    if kind is Kind.NUMBER:
        return isinstance(node, NumberNode)
    if kind is Kind.STRING:
        return isinstance(node, StringNode)
    return isinstance(node, StringNode | StringListNode)


def _items(node: ArgumentNode) -> list[StringNode]:
    if isinstance(node, StringListNode):
        return node.items
    assert isinstance(node, StringNode)
    return [node]
