"""The syntax tree. `position` is an offset into the script's text; `Source.error` turns it into line and column."""

from dataclasses import dataclass, field

from barid_protocols.sieve.errors import SieveSyntaxError


@dataclass(slots=True)
class StringNode:
    value: str
    position: int


@dataclass(slots=True)
class StringListNode:
    items: list[StringNode]
    position: int


@dataclass(slots=True)
class NumberNode:
    value: int
    position: int


@dataclass(slots=True)
class TagNode:
    """`name` is lower case, without the colon."""

    name: str
    position: int


ArgumentNode = StringNode | StringListNode | NumberNode | TagNode


@dataclass(slots=True)
class TestNode:
    name: str
    arguments: list[ArgumentNode]
    tests: list["TestNode"]
    is_list: bool
    position: int


@dataclass(slots=True)
class CommandNode:
    """`block` is None where none was written; `branches` are the elsif and else commands that follow an if."""

    name: str
    arguments: list[ArgumentNode]
    tests: list[TestNode]
    is_list: bool
    block: list["CommandNode"] | None
    position: int
    branches: list["CommandNode"] = field(default_factory=list)


class Source:
    """The script's text: turns offsets into places."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def error(self, position: int, reason: str) -> SieveSyntaxError:
        return SieveSyntaxError(reason, self.line(position), position - self.text.rfind("\n", 0, position))
