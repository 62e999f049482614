"""Comparators and match types (RFC 5228 §2.7): the arguments of a test to one function over values.

A comparator folds both sides; then equality, substring and wildcards are those of `str`. Keys without variables are
folded once, when the script is compiled. Each comparison lowers the fuel, longer values by more.
"""

from collections.abc import Callable, Sequence

from barid_protocols.sieve.errors import shown
from barid_protocols.sieve.limits import FUEL_SHIFT
from barid_protocols.sieve.machine import Run
from barid_protocols.sieve.nodes import StringNode
from barid_protocols.sieve.scope import Scope
from barid_protocols.sieve.signature import Bound, Kind, Tag
from barid_protocols.sieve.templates import Text, constants, expand_all
from barid_protocols.sieve.wildcard import Span, compile_wildcard, literal_weight

Fold = Callable[[str], str]
Matcher = Callable[[Run, Sequence[str]], bool]
"""True if any value matches any key."""

MATCH_TAGS: dict[str, Tag] = {
    "comparator": Tag(Kind.STRING),
    "is": Tag(group="match type"),
    "contains": Tag(group="match type"),
    "matches": Tag(group="match type"),
}


def fold_ascii(text: str) -> str:
    """i;ascii-casemap (RFC 4790 §9.2): A to Z only, so offsets stay and no other letter is touched."""
    if text.isascii():
        return text.lower()
    # bytes.lower() knows ASCII only, and is far quicker than str.translate().
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _as_is(text: str) -> str:
    return text


COMPARATORS: dict[str, Fold] = {"i;ascii-casemap": fold_ascii, "i;octet": _as_is}


Keys = Callable[[Run, Sequence[Text]], list[str]]
"""How a key list with variables becomes keys."""


def matcher(scope: Scope, bound: Bound, keys: Sequence[StringNode], expand_keys: Keys = expand_all) -> Matcher:
    """Compiles :comparator, the match type and the key list of a test. `expand_keys` only sees lists with variables."""
    fold = _comparator(scope, bound)
    texts = scope.texts(keys)
    match bound.chosen("match type", "is"):
        case "contains":
            return _contains(fold, texts, expand_keys)
        case "matches":
            return _matches(fold, texts, expand_keys, captures="variables" in scope.required)
        case _:
            return _is(fold, texts, expand_keys)


def _comparator(scope: Scope, bound: Bound) -> Fold:
    node = bound.tag_string("comparator")
    if node is None:
        return fold_ascii
    fold = COMPARATORS.get(node.value.lower())
    if fold is None:
        raise scope.error(node.position, f"unknown comparator {shown(node.value)}")
    return fold


def _is(fold: Fold, texts: Sequence[Text], expand_keys: Keys) -> Matcher:
    known = constants(texts)
    folded = None if known is None else frozenset(map(fold, known))

    def match(run: Run, values: Sequence[str]) -> bool:
        keys = folded if folded is not None else {fold(key) for key in expand_keys(run, texts)}
        for value in values:
            run.fuel -= 1 + (len(value) >> FUEL_SHIFT)
            if fold(value) in keys:
                return True
        if run.fuel < 0:
            raise run.exhausted()
        return False

    return match


def _contains(fold: Fold, texts: Sequence[Text], expand_keys: Keys) -> Matcher:
    known = constants(texts)
    folded = None if known is None else [fold(key) for key in known]
    folded_weight = sum(map(literal_weight, folded or ()))

    def match(run: Run, values: Sequence[str]) -> bool:
        keys, weight = folded, folded_weight
        if keys is None:
            keys = [fold(key) for key in expand_keys(run, texts)]
            weight = sum(map(literal_weight, keys))
        for value in values:
            run.fuel -= weight * (1 + (len(value) >> FUEL_SHIFT))
            if run.fuel < 0:
                raise run.exhausted()
            candidate = fold(value)
            for key in keys:
                if key in candidate:
                    return True
        return False

    return match


def _matches(fold: Fold, texts: Sequence[Text], expand_keys: Keys, captures: bool) -> Matcher:
    known = constants(texts)
    compiled = None if known is None else [compile_wildcard(fold(key)) for key in known]

    def match(run: Run, values: Sequence[str]) -> bool:
        patterns = compiled
        if patterns is None:
            keys = expand_keys(run, texts)
            run.fuel -= sum(map(len, keys))  # compiling takes 1 µs a character
            patterns = [compile_wildcard(fold(key)) for key in keys]
        for value in values:
            candidate = fold(value)
            price = 1 + (len(value) >> FUEL_SHIFT)
            for pattern in patterns:
                run.fuel -= price * pattern.weight
                if run.fuel < 0:
                    raise run.exhausted()
                spans = pattern.match(candidate)
                if spans is not None:
                    if captures:
                        run.captures = _captured(value, spans)
                    return True
        return False

    return match


def _captured(value: str, spans: list[Span]) -> tuple[str, ...]:
    # RFC 5229 §3.2: ${0} is the whole value; the case is the value's own, not the comparator's.
    return (value, *[value[start:end] for start, end in spans])
