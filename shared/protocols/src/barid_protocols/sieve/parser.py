"""Tokens to a syntax tree (RFC 5228 §8.2): shapes only. Whether a command exists and takes what was written is
decided when it is compiled.

Invariant: nesting of blocks, tests and test lists is at most MAX_NESTING, so that neither this parser nor the
compiled program can exhaust the stack.
"""

from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.lexer import Token, TokenKind, tokens
from barid_protocols.sieve.limits import MAX_NESTING
from barid_protocols.sieve.nodes import (
    ArgumentNode,
    CommandNode,
    NumberNode,
    Source,
    StringListNode,
    StringNode,
    TagNode,
    TestNode,
)


def parse(source: Source) -> list[CommandNode]:
    """The commands of a script. Raises SieveSyntaxError."""
    return _Parser(source).script()


class _Parser:
    __slots__ = ("_depth", "_source", "_token", "_tokens")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._token = next(self._tokens)
        self._depth = 0

    def script(self) -> list[CommandNode]:
        commands = self._commands()
        if not self._at(TokenKind.END):
            raise self._unexpected("a command")
        return commands

    def _advance(self) -> Token:
        token = self._token
        if token.kind is not TokenKind.END:
            self._token = next(self._tokens)
        return token

    def _at(self, kind: TokenKind) -> bool:
        return self._token.kind is kind

    def _sign(self, sign: str) -> bool:
        if self._token.text == sign and self._at(TokenKind.PUNCTUATION):
            self._advance()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._unexpected(f'"{sign}"')

    def _unexpected(self, wanted: str) -> Exception:
        return self._source.error(self._token.position, f"expected {wanted}, found {self._token.describe()}")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self._source.error(self._token.position, f"nested deeper than {MAX_NESTING} blocks and tests")

    def _commands(self) -> list[CommandNode]:
        commands: list[CommandNode] = []
        while self._at(TokenKind.IDENTIFIER):
            command = self._command()
            if command.name in ("elsif", "else"):
                self._attach(commands, command)
            else:
                commands.append(command)
        return commands

    def _attach(self, commands: list[CommandNode], branch: CommandNode) -> None:
        first = commands[-1] if commands else None
        if first is None or first.name != "if" or (first.branches and first.branches[-1].name == "else"):
            raise self._source.error(branch.position, f"{shown(branch.name)} does not follow an if or elsif")
        first.branches.append(branch)

    def _command(self) -> CommandNode:
        name = self._advance()
        arguments = self._arguments()
        tests, is_list = self._tests()
        block: list[CommandNode] | None = None
        if self._sign("{"):
            self._enter()
            block = self._commands()
            self._depth -= 1
            self._expect("}")
        elif not self._sign(";"):
            raise self._unexpected('";" or a block')
        return CommandNode(name.text, arguments, tests, is_list, block, name.position)

    def _arguments(self) -> list[ArgumentNode]:
        arguments: list[ArgumentNode] = []
        while True:
            token = self._token
            if token.kind is TokenKind.STRING:
                arguments.append(StringNode(token.text, token.position))
            elif token.kind is TokenKind.TAG:
                arguments.append(TagNode(token.text, token.position))
            elif token.kind is TokenKind.NUMBER:
                arguments.append(NumberNode(token.number, token.position))
            elif token.kind is TokenKind.PUNCTUATION and token.text == "[":
                arguments.append(self._string_list())
                continue
            else:
                return arguments
            self._advance()

    def _string_list(self) -> StringListNode:
        position = self._advance().position
        items: list[StringNode] = []
        while True:
            if not self._at(TokenKind.STRING):
                raise self._unexpected("a string")
            token = self._advance()
            items.append(StringNode(token.text, token.position))
            if self._sign("]"):
                return StringListNode(items, position)
            self._expect(",")

    def _tests(self) -> tuple[list[TestNode], bool]:
        if self._at(TokenKind.IDENTIFIER):
            return [self._test()], False
        if not self._sign("("):
            return [], False
        tests: list[TestNode] = []
        while True:
            if not self._at(TokenKind.IDENTIFIER):
                raise self._unexpected("a test")
            tests.append(self._test())
            if self._sign(")"):
                return tests, True
            self._expect(",")

    def _test(self) -> TestNode:
        self._enter()
        name = self._advance()
        arguments = self._arguments()
        tests, is_list = self._tests()
        self._depth -= 1
        return TestNode(name.text, arguments, tests, is_list, name.position)
