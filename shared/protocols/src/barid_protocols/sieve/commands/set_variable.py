"""set (RFC 5229 §4): modifiers apply by precedence, the value is cut at MAX_VARIABLE_LENGTH."""

from collections.abc import Callable

from barid_protocols.sieve.machine import Operation, Run
from barid_protocols.sieve.nodes import CommandNode
from barid_protocols.sieve.scope import CommandSpec, Scope
from barid_protocols.sieve.signature import Kind, Signature, Tag, bind
from barid_protocols.sieve.templates import expand
from barid_protocols.sieve.variables import store, variable_name
from barid_protocols.sieve.wildcard import quote_wildcards

Modifier = Callable[[str], str]

_MODIFIERS: dict[str, tuple[str, Modifier]] = {  # in the order they apply, with the precedence of RFC 5229 §4.1
    "lower": ("40", str.lower),
    "upper": ("40", str.upper),
    "lowerfirst": ("30", lambda value: value[:1].lower() + value[1:]),
    "upperfirst": ("30", lambda value: value[:1].upper() + value[1:]),
    "quotewildcard": ("20", quote_wildcards),
    "length": ("10", lambda value: str(len(value))),
}
_SIGNATURE = Signature(
    (Kind.STRING, Kind.STRING),
    tags={name: Tag(group=f"modifier of precedence {precedence}") for name, (precedence, _) in _MODIFIERS.items()},
)


def _compile(scope: Scope, node: CommandNode) -> Operation:
    bound = bind(scope, node, _SIGNATURE)
    name = variable_name(scope, bound.string(0).value, bound.string(0).position)
    text = scope.text(bound.string(1))
    modifiers = [function for tag, (_, function) in _MODIFIERS.items() if bound.has(tag)]
    line = scope.line(node.position)

    def run_set(run: Run) -> bool:
        value = expand(run, text)
        for modifier in modifiers:
            value = modifier(value)
        store(run, name, value, line)
        return False

    return run_set


SET = CommandSpec("set", _compile, "variables")
