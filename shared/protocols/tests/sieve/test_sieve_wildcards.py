"""`:matches`: the same as a naive matcher, with the shortest captures, and never slow."""

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.sieve.wildcard import Wildcard, quote_wildcards

SHORT = st.text(alphabet="ab.\n*?\\", max_size=12)


def naive(pattern: str) -> re.Pattern[str]:
    """Exponential at worst and plainly right: lazy stars take the least from left to right."""
    out, characters = [], iter(pattern)
    for c in characters:
        if c == "*":
            out.append("(.*?)")
        elif c == "?":
            out.append("(.)")
        else:
            out.append(re.escape(next(characters, "\\") if c == "\\" else c))
    return re.compile("".join(out), re.DOTALL)


@given(SHORT, SHORT)
@settings(max_examples=100, deadline=None)
def test_as_the_naive_matcher(pattern, text):
    expected = naive(pattern).fullmatch(text)
    spans = Wildcard(pattern).match(text)
    assert (spans is None) == (expected is None)
    if expected is not None:
        assert [text[a:b] for a, b in spans] == list(expected.groups())


@given(SHORT)
@settings(deadline=None)
def test_a_quoted_text_matches_only_itself(text):
    assert Wildcard(quote_wildcards(text)).match(text) == []


@given(SHORT, SHORT)
@settings(deadline=None)
def test_a_quoted_text_matches_nothing_else(text, other):
    assert (Wildcard(quote_wildcards(text)).match(other) is not None) == (text == other)


def test_many_stars_cost_no_exponential_time():
    started = time.process_time()
    assert Wildcard("*a" * 1000 + "*b").match("a" * 50_000) is None
    assert Wildcard("*?a" * 500 + "*b").match("a" * 50_000) is None
    assert Wildcard("*" * 5000).match("x" * 50_000) is not None
    assert time.process_time() - started < 1
