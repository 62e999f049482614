"""Sequence sets against a plain set of numbers."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.sequence import MAX_NUMBER, STAR, SequenceSet, format_numbers

ends = st.one_of(st.integers(1, 60), st.just(STAR))
sets = st.lists(st.tuples(ends, ends), min_size=1, max_size=8)


def written(ranges: list[tuple[int, int]]) -> bytes:
    return b",".join(b":".join(b"*" if end == STAR else b"%d" % end for end in pair) for pair in ranges)


def plainly(ranges: list[tuple[int, int]], last: int) -> set[int]:
    named: set[int] = set()
    for first, second in ranges:
        low, high = sorted(last if end == STAR else end for end in (first, second))
        named |= set(range(low, high + 1))
    return named


def chosen(parsed: SequenceSet, column: "array[int]") -> list[int]:
    return [uid for start, stop in parsed.slices_of_uids(column) for uid in column[start:stop]]


@settings(max_examples=100)
@given(ranges=sets, uids=st.sets(st.integers(1, 60), min_size=1))
def test_uids_are_those_named(ranges: list[tuple[int, int]], uids: set[int]) -> None:
    column = array("I", sorted(uids))
    named = plainly(ranges, column[-1])
    parsed = SequenceSet.parse(written(ranges))
    assert chosen(parsed, column) == [uid for uid in column if uid in named]
    assert [parsed.contains(uid, column[-1]) for uid in column] == [uid in named for uid in column]


@settings(max_examples=100)
@given(ranges=sets, count=st.integers(1, 70))
def test_numbers_beyond_the_mailbox_are_an_error(ranges: list[tuple[int, int]], count: int) -> None:
    named = plainly(ranges, count)
    parsed = SequenceSet.parse(written(ranges))
    if max(named) > count:
        with pytest.raises(SyntaxProblem):
            parsed.slices_of_numbers(count)
    else:
        slices = parsed.slices_of_numbers(count)
        assert [index + 1 for start, stop in slices for index in range(start, stop)] == sorted(named)


@settings(max_examples=100)
@given(numbers=st.sets(st.integers(1, 200)))
def test_compact_form_names_the_same_numbers(numbers: set[int]) -> None:
    text = format_numbers(sorted(numbers))
    assert text == bytes(SequenceSet.of(numbers))
    if numbers:
        assert plainly(list(SequenceSet.parse(text).ranges), 0) == numbers
        runs = SequenceSet.of(numbers).ranges
        assert all(after[0] > before[1] + 1 for before, after in pairwise(runs))


@pytest.mark.parametrize(
    "text", [b"", b"0", b"1,", b",1", b"1:", b":1", b"1::2", b"a", b"-1", b"1 2", b"**", b"1:2:3", b"4294967296"]
)
def test_what_is_no_set(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        SequenceSet.parse(text)


def test_the_largest_uid_is_a_number_and_star_is_above_it() -> None:
    assert SequenceSet.parse(b"4294967295").ranges == ((MAX_NUMBER, MAX_NUMBER),)
    assert SequenceSet.parse(b"*:4294967295").ranges == ((MAX_NUMBER, STAR),)


def test_star_beyond_the_last_uid_names_the_last_message() -> None:
    assert chosen(SequenceSet.parse(b"559:*"), array("I", [3, 500])) == [500]


def test_an_empty_mailbox_has_no_uids_and_no_numbers() -> None:
    assert SequenceSet.parse(b"1:*").slices_of_uids(array("I")) == []
    assert SequenceSet.parse(b"1:*").slices_of_numbers(0) == []
    with pytest.raises(SyntaxProblem):
        SequenceSet.parse(b"1").slices_of_numbers(0)
