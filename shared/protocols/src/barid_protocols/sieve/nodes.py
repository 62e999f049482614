"""The syntax tree. `position` is an offset into the script's text; `Source.error` turns it into line and column."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from barid_protocols.sieve.errors import SieveSyntaxError

_LINE_END = re.compile("\n")


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

    __slots__ = ("_line_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # Found once: every command asks for its line, and counting anew each time would be quadratic.
        self._line_starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def line(self, position: int) -> int:
        return bisect_right(self._line_starts, position)

    def error(self, position: int, reason: str) -> SieveSyntaxError:
        line = self.line(position)
        return SieveSyntaxError(reason, line, position - self._line_starts[line - 1] + 1)
